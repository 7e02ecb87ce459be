// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "blob/store.h"
#include "events/log.h"
#include "retention/types.h"
#include "sql/database.h"
#include "tracking/trash.h"

namespace ciclo::retention {

// Removes for good what is deleted and nothing needs: first rows, some objects in one transaction,
// then the bytes that no row names any more. Killed anywhere, it leaves nothing that dangles, and
// the next collection finishes. A dry run plans and counts in the same way and changes nothing.
// Safe to share between threads, and to run beside writers and other collectors.
class Collector {
 public:
  // All must outlive it.
  Collector(sql::Database& database, blob::Store& blobs, events::Log& events, Clock& clock);

  // What collect says of a request that asks for the impossible.
  static Result<void> check(const Request& request);

  using OnProgress = std::function<void(const Progress&)>;

  // invalid_argument as `check` says; not_found for an unknown run or experiment,
  // failed_precondition for one that is not deleted; cancelled when it was stopped.
  Result<Report> collect(const Request& request, std::stop_token stop = {},
                         const OnProgress& on_progress = {});

 private:
  // What is going to be removed, in this order, and the report with what is kept.
  struct Plan {
    std::vector<tracking::Trashed> removals;
    Report report;
  };
  Result<Plan> plan(const Request& request);
  Result<void> remove_rows(const Plan& plan, Report& report, std::stop_token stop,
                           const OnProgress& on_progress);
  // One transaction. Says of each why it stayed; nullopt: it is gone.
  using Outcomes = std::vector<std::optional<std::string>>;
  Result<Outcomes> remove_some(std::span<const tracking::Trashed> some);
  Result<void> collect_bytes(const Request& request, const Plan& plan, Report& report,
                             std::stop_token stop, const OnProgress& on_progress);

  Result<void> append_end(const Request& request, const Report& report);

  sql::Database& database_;
  blob::Store& blobs_;
  events::Log& events_;
  Clock& clock_;
};

}  // namespace ciclo::retention
