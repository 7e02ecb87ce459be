// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/result.h"
#include "retention/collector.h"
#include "retention/types.h"

namespace ciclo::retention {

// One collection that was asked for.
struct Collection {
  std::string collection_id;
  std::string state;  // "running", "succeeded", "failed", "cancelled"
  std::string caller;
  Request request;
  Progress progress;
  std::optional<Report> report;  // once it has succeeded
  std::string error;
  std::int64_t started_ms = 0;
  std::optional<std::int64_t> ended_ms;

  template <class V>
  void fields(V& v) {
    v("collection_id", collection_id);
    v("state", state);
    v("caller", caller);
    v("request", request);
    v("progress", progress);
    v("report", report);
    v("error", error);
    v("started_ms", started_ms);
    v("ended_ms", ended_ms);
  }
};

// Collections that run on a thread of their own, one at a time, and can be watched. The newest few
// are known until the process ends; what they removed stands in the log of events for ever. Safe to
// share between threads.
class Collections {
 public:
  // All must outlive it.
  Collections(Collector& collector, Clock& clock, IdSource& ids);
  ~Collections() { stop(); }

  // conflict while another one runs; invalid_argument as the collector says.
  Result<Collection> start(const Context& context, const Request& request);
  // not_found for one that this process has not started, or has forgotten.
  Result<Collection> get(const std::string& collection_id);
  // Newest first.
  std::vector<Collection> list();

  // Ends the one that runs at the next chance, and waits for that. Nothing is started afterwards.
  void stop();

 private:
  void run(std::stop_token stop, const std::string& collection_id, const Request& request);
  Collection* find(const std::string& collection_id);  // under mutex_

  Collector& collector_;
  Clock& clock_;
  IdSource& ids_;
  std::mutex mutex_;
  std::deque<Collection> all_;  // guarded by mutex_; newest first
  bool is_stopped_ = false;     // guarded by mutex_
  std::jthread thread_;         // guarded by mutex_, but for its end
};

}  // namespace ciclo::retention
