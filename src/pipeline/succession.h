// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "pipeline/store.h"
#include "sql/database.h"

namespace ciclo::pipeline {

// When an engine may follow another: one engine drives the runs of a database, whichever server it
// is on, and the others stand by. The one that drives beats, that is, counts up a number in the
// database; who stands by watches it by its own clock, so that the machines' clocks need not agree.
// Used by one thread at a time.
class Succession {
 public:
  // `owner` is unique among the servers that live. An engine of the same owner is a dead one; the
  // owner "" follows whoever drives.
  Succession(sql::Database& database, Clock& clock, std::string owner, std::int64_t dead_after_ms)
      : database_(database),
        clock_(clock),
        owner_(std::move(owner)),
        dead_after_ns_(dead_after_ms * 1'000'000) {}

  // Whether nobody drives: it has ended, was ours, or has not beaten since this was asked first
  // long enough ago.
  Result<bool> is_free();

 private:
  sql::Database& database_;
  Clock& clock_;
  const std::string owner_;
  const std::int64_t dead_after_ns_;
  std::optional<store::EngineRow> seen_;
  std::int64_t seen_ns_ = 0;  // when `seen_` was new
};

}  // namespace ciclo::pipeline
