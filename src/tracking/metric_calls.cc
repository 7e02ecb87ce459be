// SPDX-License-Identifier: Apache-2.0
#include "tracking/metric_calls.h"

#include <exception>
#include <utility>

#include "tracking/limits.h"

namespace ciclo::tracking {
namespace {

// Whether what is wrong may be in one call alone; else it is the database.
bool may_be_of_one(Code code) {
  return code == Code::kInvalidArgument || code == Code::kNotFound ||
         code == Code::kFailedPrecondition || code == Code::kAlreadyExists;
}

}  // namespace

Result<void> MetricCalls::log(const std::string& run, std::span<const Metric> metrics,
                              const Write& write) {
  Call call;
  call.metrics = metrics;
  std::unique_lock lock(mutex_);
  const auto [queue, is_first] = waiting_.try_emplace(run);
  Waiting& waiting = queue->second;  // stays where it is while others come and go
  waiting.push_back(&call);
  if (!is_first) call.changed.wait(lock, [&] { return call.has_ended || call.leads; });
  if (call.has_ended) return std::move(call.result);
  const auto calls = take(waiting);
  lock.unlock();
  perform(calls, write);
  lock.lock();
  for (Call* other : calls) {
    other->has_ended = true;
    other->changed.notify_one();
  }
  if (waiting.empty()) {
    waiting_.erase(run);
  } else {
    waiting.front()->leads = true;
    waiting.front()->changed.notify_one();
  }
  return std::move(call.result);
}

std::size_t MetricCalls::waiting(const std::string& run) {
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(run);
  return found == waiting_.end() ? 0 : found->second.size();
}

// The first, and as many of the others as make a batch.
std::vector<MetricCalls::Call*> MetricCalls::take(Waiting& waiting) {
  std::vector<Call*> calls;
  std::size_t points = 0;
  while (!waiting.empty()) {
    points += waiting.front()->metrics.size();
    if (!calls.empty() && points > kBatchMetricsMax) break;
    calls.push_back(waiting.front());
    waiting.pop_front();
  }
  return calls;
}

void MetricCalls::perform(std::span<Call* const> calls, const Write& write) {
  try {
    if (calls.size() > 1) {
      std::vector<Metric> all;
      for (const Call* call : calls)
        all.insert(all.end(), call->metrics.begin(), call->metrics.end());
      const auto written = write(all);
      if (written.ok()) return;
      if (!may_be_of_one(written.error().code)) {
        for (Call* call : calls) call->result = written;
        return;
      }
    }
    for (Call* call : calls) call->result = write(call->metrics);
  } catch (const std::exception& exception) {
    // Whoever waits must be told. What had been written already may be sent again.
    for (Call* call : calls) call->result = internal(exception.what());
  }
}

}  // namespace ciclo::tracking
