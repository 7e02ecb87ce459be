// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ciclo {

// A fixed number of named threads that run tasks in the order of their arrival, from a queue of
// bounded length. Safe to share between threads.
class WorkerPool {
 public:
  // `name` (at most 12 characters) shows in debuggers as name-0, name-1, …
  WorkerPool(std::string name, std::size_t threads, std::size_t queue_max);
  // Runs what is queued, then joins.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when the queue is full or the pool is stopping; the task is then not taken. A task that
  // throws is logged and dropped.
  [[nodiscard]] bool try_submit(std::function<void()> task);

  std::size_t queued() const;

 private:
  void work();

  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

// Names the calling thread for debuggers and `top -H`; longer names are cut at 15 characters.
void set_thread_name(const std::string& name);

}  // namespace ciclo
