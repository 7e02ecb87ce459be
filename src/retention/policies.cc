// SPDX-License-Identifier: Apache-2.0
#include "retention/policies.h"

#include <algorithm>
#include <chrono>

#include "base/context.h"
#include "base/log.h"
#include "base/worker_pool.h"
#include "retention/store.h"

namespace ciclo::retention {
namespace {

// Between two looks at the clock.
constexpr std::int64_t kLookMs = kMinuteMs;

}  // namespace

Policies::Policies(Collections& collections, sql::Database& database, Clock& clock,
                   const PolicyOptions& options)
    : collections_(collections), database_(database), clock_(clock), options_(options) {}

Result<bool> Policies::run_if_due() {
  const std::lock_guard lock(mutex_);
  if (!options_.deleted_ms || clock_.now_ms() < due_ms_) return false;
  TRY(const auto last_ms, database_.view(store::last_collection));
  if (last_ms && clock_.now_ms() < *last_ms + options_.interval_ms) return false;
  Request request;
  request.cause = kPolicyCause;
  request.older_than_ms = *options_.deleted_ms;
  request.grace_ms = options_.grace_ms;
  const auto started = collections_.start({.caller = "retention"}, request);
  if (!started.ok() && started.error().code == Code::kConflict) return false;
  if (!started.ok()) return started.error();
  due_ms_ = clock_.now_ms() + options_.interval_ms;
  return true;
}

void Policies::start_thread() {
  if (!options_.deleted_ms) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Policies::run(const std::stop_token& stop) {
  set_thread_name("retention");
  const auto pause = std::chrono::milliseconds(std::min(kLookMs, options_.interval_ms));
  while (!stop.stop_requested()) {
    if (const auto done = run_if_due(); !done.ok()) {
      log::warn("retention cannot collect", {{"error", done.error().message}});
    }
    std::mutex never;
    std::unique_lock lock(never);
    woken_.wait_for(lock, stop, pause, [] { return false; });
  }
}

void Policies::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace ciclo::retention
