// SPDX-License-Identifier: Apache-2.0
#include "client/sender.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace ciclo::client {
namespace {

// As long as nobody waits longer than a lifetime, sums with the clock do not overflow.
constexpr std::chrono::milliseconds kTimeoutMax = std::chrono::hours(24 * 365);

// Signals are for the program's own threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

Sender::Sender(Mlflow& mlflow, Clock& clock, Random& random, Options options)
    : mlflow_(mlflow), clock_(clock), random_(random), options_(options), ring_(options.capacity) {
  const SignalsBlocked blocked;  // the thread inherits it
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  pthread_setname_np(thread_.native_handle(), "ciclo-client");
}

Sender::~Sender() = default;

bool Sender::push_when_full(const std::function<bool()>& try_again) {
  if (options_.when_full == WhenFull::kDrop) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  // Either this sees the room that the thread has made, or the thread sees this waiting: both
  // change the one counter, and the second one sees what was before the first.
  waiting_for_room_.fetch_add(1, std::memory_order_acq_rel);
  {
    std::unique_lock lock(mutex_);
    is_wanted_ = true;
    wake_.notify_one();
    room_.wait(lock, try_again);
  }
  waiting_for_room_.fetch_sub(1, std::memory_order_acq_rel);
  return true;
}

void Sender::make_room_known() {
  if (waiting_for_room_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  const std::lock_guard lock(mutex_);
  room_.notify_all();
}

void Sender::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const bool is_empty = !collect(stop);
    if (is_empty || must_send_all()) send_all(stop);
    if (is_empty) rest(stop);
  }
}

bool Sender::collect(const std::stop_token& stop) {
  bool is_empty = false;
  bool has_sent = false;
  while (!is_empty && !has_sent) {
    Item item;
    is_empty = !ring_.try_pop([&](Item& next) { item.take(next); });
    if (!is_empty) has_sent = put(item, stop);
  }
  make_room_known();
  return !is_empty;
}

bool Sender::put(const Item& item, const std::stop_token& stop) {
  const auto place = std::find_if(batches_.begin(), batches_.end(),
                                  [&](const Batch& batch) { return &batch.run() == item.run; });
  if (place != batches_.end() && place->has_room_for(item)) {
    place->add(item);
    return false;
  }
  std::optional<Batch> full;
  if (place != batches_.end()) {
    full = std::move(*place);
    batches_.erase(place);
  }
  batches_.emplace_back(*item.run, clock_.monotonic_ns()).add(item);
  if (!full) return false;
  make_room_known();
  send(*full, stop);
  return true;
}

bool Sender::must_send_all() {
  if (batches_.empty()) return false;
  const std::int64_t interval_ns = options_.interval.count() * 1'000'000;
  if (batches_.front().began_ns() + interval_ns <= clock_.monotonic_ns()) return true;
  const std::lock_guard lock(mutex_);
  return settled_ < flush_target_ && flush_target_ <= ring_.popped();
}

void Sender::send_all(const std::stop_token& stop) {
  while (!batches_.empty() && !stop.stop_requested()) {
    const Batch first = std::move(batches_.front());
    batches_.pop_front();
    send(first, stop);
  }
  if (stop.stop_requested()) return;
  const std::lock_guard lock(mutex_);
  settled_ = ring_.popped();
  settled_changed_.notify_all();
}

void Sender::rest(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  // A push that has its place but is not done yet: somebody may flush for it.
  const bool is_near = settled_ < flush_target_;
  const auto time = is_near ? std::chrono::milliseconds(1) : options_.interval;
  wake_.wait_for(lock, stop, time, [&] { return is_wanted_; });
  is_wanted_ = false;
}

void Sender::send(const Batch& batch, const std::stop_token& stop) {
  sent_.fetch_add(batch.size(), std::memory_order_relaxed);
  const Verdict verdict = deliver(batch, stop);
  if (verdict == Verdict::kAcknowledged) {
    acknowledged_.fetch_add(batch.size(), std::memory_order_relaxed);
  } else if (verdict == Verdict::kContentRefused && batch.size() > 1 &&
             mlflow_.may_take_values(batch.run().id, stop)) {
    send_in_halves(batch, stop);
  } else if (verdict != Verdict::kAbandoned) {
    refuse(batch);
  }
}

// One value that the server refuses must not cost those that it came with.
void Sender::send_in_halves(const Batch& batch, const std::stop_token& stop) {
  sent_.fetch_sub(batch.size(), std::memory_order_relaxed);
  const auto [first, second] = batch.halves();
  send(first, stop);
  send(second, stop);
}

Sender::Verdict Sender::deliver(const Batch& batch, const std::stop_token& stop) {
  const std::string body = batch.body();
  const std::string key = mlflow_.new_key();
  Backoff backoff(random_, options_.retry_delay_max);
  std::optional<std::int64_t> trouble_since_ns;
  for (;;) {
    const Answer answer = mlflow_.post("runs/log-batch", body, key, stop);
    if (answer.is_done()) return Verdict::kAcknowledged;
    if (stop.stop_requested()) return Verdict::kAbandoned;
    remember(answer.error);
    if (answer.is_passing()) {
      trouble_since_ns.reset();
    } else if (answer.is_trouble_of_the_server()) {
      const std::int64_t now_ns = clock_.monotonic_ns();
      if (!trouble_since_ns) trouble_since_ns = now_ns;
      const std::int64_t lasted_ms = (now_ns - *trouble_since_ns) / 1'000'000;
      if (lasted_ms >= options_.server_error_timeout.count()) return Verdict::kRefused;
    } else {
      const bool is_content = answer.status == 400 || answer.status == 413;
      return is_content ? Verdict::kContentRefused : Verdict::kRefused;
    }
    retries_.fetch_add(1, std::memory_order_relaxed);
    if (!wait(backoff.next(answer.retry_after), stop)) return Verdict::kAbandoned;
  }
}

bool Sender::wait(std::chrono::milliseconds delay, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, stop, delay, [] { return false; });
  return !stop.stop_requested();
}

void Sender::remember(const Error& problem) {
  const std::lock_guard lock(mutex_);
  problem_ = problem.message;
}

void Sender::refuse(const Batch& batch) {
  const std::lock_guard lock(mutex_);
  refused_.fetch_add(batch.size(), std::memory_order_relaxed);
  refusal_ = problem_;
}

Result<void> Sender::flush(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const std::uint64_t target = ring_.pushed();
  flush_target_ = std::max(flush_target_, target);
  is_wanted_ = true;
  wake_.notify_one();
  const bool is_settled = settled_changed_.wait_for(lock, std::min(timeout, kTimeoutMax),
                                                    [&] { return settled_ >= target; });
  if (!is_settled) {
    const std::uint64_t done = acknowledged_.load() + refused_.load();
    return deadline_exceeded(std::to_string(target - std::min(done, target)) + " of " +
                             std::to_string(target) + " values are not acknowledged after " +
                             std::to_string(timeout.count()) + " ms" +
                             (problem_.empty() ? "" : "; the last problem: " + problem_));
  }
  const std::uint64_t refused = refused_.load(std::memory_order_relaxed);
  if (refused == refused_told_) return {};
  const std::uint64_t untold = refused - std::exchange(refused_told_, refused);
  return failed_precondition(std::to_string(untold) +
                             (untold == 1 ? " value was" : " values were") +
                             " refused, the last by " + refusal_);
}

Sender::Counters Sender::counters() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return {.logged = ring_.pushed(),
          .sent = sent_.load(kRelaxed),
          .acknowledged = acknowledged_.load(kRelaxed),
          .refused = refused_.load(kRelaxed),
          .dropped = dropped_.load(kRelaxed),
          .retries = retries_.load(kRelaxed)};
}

}  // namespace ciclo::client
