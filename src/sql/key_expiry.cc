// SPDX-License-Identifier: Apache-2.0
#include "sql/key_expiry.h"

#include "base/log.h"
#include "base/worker_pool.h"
#include "sql/once.h"

namespace ciclo::sql {
namespace {

constexpr std::int64_t kBatch = 200;
constexpr std::chrono::minutes kInterval{1};

}  // namespace

KeyExpiry::KeyExpiry(Database& database, Clock& clock, std::chrono::milliseconds keep)
    : database_(database), clock_(clock), keep_(keep) {}

KeyExpiry::~KeyExpiry() { stop_thread(); }

void KeyExpiry::start_thread() {
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

void KeyExpiry::stop_thread() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

// A pause as long as the batch took leaves the writer to others for half of the time at least.
Result<std::int64_t> KeyExpiry::forget_old(const std::stop_token& stop) {
  const std::int64_t before_ms = clock_.now_ms() - keep_.count();
  std::int64_t forgotten = 0;
  while (true) {
    const std::int64_t started_ns = clock_.monotonic_ns();
    TRY(const std::int64_t batch, forget_keys(database_, before_ms, kBatch));
    forgotten += batch;
    if (batch < kBatch) return forgotten;
    const std::chrono::nanoseconds took(clock_.monotonic_ns() - started_ns);
    if (!wait(stop, took)) return forgotten;
  }
}

void KeyExpiry::loop(const std::stop_token& stop) {
  set_thread_name("key-expiry");
  do {
    const auto forgotten = forget_old(stop);
    if (!forgotten.ok()) {
      log::warn("old idempotency keys could not be removed",
                {{"error", forgotten.error().message}});
    }
  } while (wait(stop, kInterval));
}

bool KeyExpiry::wait(const std::stop_token& stop, std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace ciclo::sql
