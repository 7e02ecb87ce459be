// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ciclo::sql {

// Connections that are kept for reuse, at most `connections_max` of them in use at once. A thread
// that holds one already gets another beyond that number, rather than wait for itself. Safe to
// share between threads; a lease is used by the thread that took it.
template <class Connection>
class Pool {
 public:
  using Open = std::function<Result<std::unique_ptr<Connection>>()>;

  Pool(std::size_t connections_max, Open open)
      : connections_max_(connections_max), open_(std::move(open)) {}

  // Gives the connection back at the end of its life.
  class Lease {
   public:
    Lease(Pool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {
      ++held_by_this_thread;
    }
    ~Lease() {
      if (pool_ == nullptr) return;
      --held_by_this_thread;
      pool_->give_back(std::move(connection_));
    }
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(connection_, other.connection_);
      return *this;
    }

    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }
    // Closes the connection instead of keeping it.
    void discard() { connection_.reset(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  // A kept connection, or a new one. unavailable when all stay in use for 30 seconds.
  Result<Lease> take() {
    {
      std::unique_lock lock(mutex_);
      const auto free = [&] { return in_use_ < connections_max_; };
      if (held_by_this_thread == 0 && !freed_.wait_for(lock, std::chrono::seconds(30), free)) {
        return unavailable("all " + std::to_string(connections_max_) +
                           " database connections have been in use for 30 seconds");
      }
      ++in_use_;
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return Lease(*this, std::move(connection));
      }
    }
    auto opened = open_();
    if (opened.ok()) return Lease(*this, std::move(opened).value());
    give_back(nullptr);
    return opened.error();
  }

  // Closes the idle connections, as after a restart of the server.
  void clear() {
    std::vector<std::unique_ptr<Connection>> closing;
    const std::lock_guard lock(mutex_);
    closing.swap(idle_);
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return in_use_ + idle_.size();
  }

 private:
  void give_back(std::unique_ptr<Connection> connection) {
    std::unique_ptr<Connection> closing;
    {
      const std::lock_guard lock(mutex_);
      --in_use_;
      auto& target = idle_.size() < connections_max_ ? idle_.emplace_back() : closing;
      target = std::move(connection);
      if (!idle_.empty() && idle_.back() == nullptr) idle_.pop_back();
    }
    freed_.notify_one();
  }

  // Of all pools of this kind of connection; the limit may be passed by a thread that uses two.
  static inline thread_local int held_by_this_thread = 0;

  const std::size_t connections_max_;
  const Open open_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t in_use_ = 0;                         // guarded by mutex_
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_; the last used is the next
};

}  // namespace ciclo::sql
