// SPDX-License-Identifier: Apache-2.0
#include "retention/collections.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace ciclo::retention {
namespace {

constexpr std::size_t kKnownMax = 20;
constexpr std::string_view kRunning = "running";

std::string_view state_after(const Result<Report>& report) {
  if (report.ok()) return "succeeded";
  return report.error().code == Code::kCancelled ? "cancelled" : "failed";
}

}  // namespace

Collections::Collections(Collector& collector, Clock& clock, IdSource& ids)
    : collector_(collector), clock_(clock), ids_(ids) {}

Result<Collection> Collections::start(const Context& context, const Request& request) {
  TRY(Collector::check(request));
  const std::lock_guard lock(mutex_);
  if (is_stopped_) return unavailable("the server is stopping");
  if (!all_.empty() && all_.front().state == kRunning) {
    return conflict("collection " + all_.front().collection_id + " has been running since " +
                    format_utc(all_.front().started_ms) + ": one runs at a time");
  }
  Collection fresh;
  fresh.collection_id = ids_.next();
  fresh.state = kRunning;
  fresh.caller = context.caller;
  fresh.request = request;
  fresh.started_ms = clock_.now_ms();
  all_.push_front(fresh);
  if (all_.size() > kKnownMax) all_.pop_back();
  // The thread of the one before has written its end, so it waits for nobody.
  if (thread_.joinable()) thread_.join();
  thread_ = std::jthread([this, id = fresh.collection_id, request](std::stop_token stop) {
    run(std::move(stop), id, request);
  });
  return fresh;
}

void Collections::run(std::stop_token stop, const std::string& collection_id,
                      const Request& request) {
  const auto on_progress = [&](const Progress& progress) {
    const std::lock_guard lock(mutex_);
    if (auto* known = find(collection_id)) known->progress = progress;
  };
  auto report = collector_.collect(request, std::move(stop), on_progress);
  if (!report.ok()) log::warn("collection ended", {{"error", report.error().message}});
  const std::lock_guard lock(mutex_);
  auto* const known = find(collection_id);
  if (known == nullptr) return;
  known->state = state_after(report);
  known->ended_ms = clock_.now_ms();
  if (report.ok()) {
    known->report = std::move(report).value();
  } else {
    known->error = report.error().message;
  }
}

Collection* Collections::find(const std::string& collection_id) {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const Collection& one) {
    return one.collection_id == collection_id;
  });
  return found == all_.end() ? nullptr : &*found;
}

Result<Collection> Collections::get(const std::string& collection_id) {
  const std::lock_guard lock(mutex_);
  if (const auto* known = find(collection_id)) return *known;
  return not_found("there is no collection " + ciclo::quoted(collection_id) +
                   " of this process; /api/v1/events tells what was removed");
}

std::vector<Collection> Collections::list() {
  const std::lock_guard lock(mutex_);
  return {all_.begin(), all_.end()};
}

void Collections::stop() {
  std::jthread last;
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    last = std::move(thread_);
  }
  if (last.joinable()) {
    last.request_stop();
    last.join();
  }
}

}  // namespace ciclo::retention
