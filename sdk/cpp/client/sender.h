// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "client/batch.h"
#include "client/mlflow.h"
#include "client/ring.h"

namespace ciclo::client {

// Takes values from many threads through a ring and sends them in one of its own, in order for each
// run: a request as soon as a run has as much as one may hold, and all of it when a value has
// waited for `interval` or somebody flushes. A request is repeated until it succeeds or the server
// refuses it; meanwhile the ring fills. Safe to share between threads.
class Sender {
 public:
  enum class WhenFull { kBlock, kDrop };
  struct Options {
    std::size_t capacity;
    WhenFull when_full;
    std::chrono::milliseconds interval;
    std::chrono::milliseconds retry_delay_max;
    std::chrono::milliseconds server_error_timeout;
  };
  struct Counters {
    std::uint64_t logged = 0;
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t refused = 0;
    std::uint64_t dropped = 0;
    std::uint64_t retries = 0;
  };

  // All must outlive it. The thread starts here.
  Sender(Mlflow& mlflow, Clock& clock, Random& random, Options options);
  // Cuts a request off that is under way; what is not acknowledged is lost.
  ~Sender();

  // Has `fill` write the value into its place. False when it was dropped. Lock-free but when the
  // ring is full and the sender blocks.
  template <class Fill>
  bool push(Fill&& fill) {
    return ring_.try_push(fill) || push_when_full([&] { return ring_.try_push(fill); });
  }

  // deadline_exceeded when what was pushed before is not settled within `timeout`;
  // failed_precondition when values were refused since that was last told here.
  Result<void> flush(std::chrono::milliseconds timeout);

  Counters counters() const;

 private:
  // kContentRefused: some of the values, and perhaps not the others.
  enum class Verdict { kAcknowledged, kRefused, kContentRefused, kAbandoned };

  bool push_when_full(const std::function<bool()>& try_again);
  void run(const std::stop_token& stop);
  // Pops until a batch can hold no more, which is then sent; false when the ring is empty.
  bool collect(const std::stop_token& stop);
  // Whether a full batch was sent for it.
  bool put(const Item& item, const std::stop_token& stop);
  void make_room_known();
  bool must_send_all();
  void send_all(const std::stop_token& stop);
  void rest(const std::stop_token& stop);
  void send(const Batch& batch, const std::stop_token& stop);
  void send_in_halves(const Batch& batch, const std::stop_token& stop);
  Verdict deliver(const Batch& batch, const std::stop_token& stop);
  // Waits before the next try; false when it is to stop.
  bool wait(std::chrono::milliseconds delay, const std::stop_token& stop);
  void remember(const Error& problem);
  void refuse(const Batch& batch);

  Mlflow& mlflow_;
  Clock& clock_;
  Random& random_;
  const Options options_;
  Ring<Item> ring_;

  std::atomic<int> waiting_for_room_{0};
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> retries_{0};

  std::mutex mutex_;
  std::condition_variable_any wake_;  // the thread, when `is_wanted_`
  std::condition_variable room_;
  std::condition_variable settled_changed_;
  bool is_wanted_ = false;          // guarded by mutex_
  std::uint64_t flush_target_ = 0;  // guarded by mutex_; a count of pushes
  std::uint64_t settled_ = 0;       // guarded by mutex_; so many pushes are done with
  std::uint64_t refused_told_ = 0;  // guarded by mutex_; of refused_
  std::string problem_;             // guarded by mutex_; why the last request failed
  std::string refusal_;             // guarded by mutex_; why values were refused

  // Of the thread alone, in the order of their first values.
  std::deque<Batch> batches_;

  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace ciclo::client
