// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/json.h"

namespace ciclo::cli {

// Shows a pipeline run on standard error while it goes on: on a terminal a table that is drawn anew
// in place, with bars; otherwise one line whenever a step starts or ends.
class RunProgress {
 public:
  explicit RunProgress(bool quiet);

  // `run` as GET /api/v1/pipeline-runs/ID answers.
  void update(const json::Value& run, std::int64_t now_ms);
  // Leaves the last table standing.
  void finish();

 private:
  void draw(const json::Value& run, std::int64_t now_ms);
  void print_changes(const json::Value& run);

  const bool quiet_;
  const bool terminal_;
  std::size_t lines_ = 0;
  std::map<std::string, std::string> states_;
};

}  // namespace ciclo::cli
