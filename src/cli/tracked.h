// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/api.h"

// What the commands about experiments and runs ask of a platform, by MLflow's API.

namespace ciclo::cli {

// The text as a literal of the filter grammar, which knows no escapes; nullopt where that is
// impossible.
std::optional<std::string> literal(const std::string& text);

// Which of what is there: not deleted, deleted, or both.
enum class View { kActive, kDeleted, kAll };

struct RunSearch {
  std::vector<std::string> experiments;  // names or ids; empty: all of the view
  std::string filter;                    // MLflow's grammar
  std::vector<std::string> order_by;     // newest first when empty
  View view = View::kActive;
  std::int64_t limit = 0;  // runs at most; 0: all
};

// The experiments that the filter names, in order; all pages. `limit` 0: no limit.
Result<json::Value::Array> find_experiments(Api& api, const std::string& filter,
                                            const std::vector<std::string>& order_by, View view,
                                            std::int64_t limit = 0);

// The experiment of that name, or else of that id, deleted or not. not_found names both.
Result<json::Value> find_experiment(Api& api, const std::string& name_or_id);

// Names by id, of all experiments.
Result<std::map<std::string, std::string>> experiment_names(Api& api);

// Calls `use` for one run after the other, holding one page of them at a time.
Result<void> each_run(Api& api, const RunSearch& search,
                      const std::function<Result<void>(const json::Value& run)>& use);

// The run of that id, or else the only one of that name, deleted or not. invalid_argument when
// several have the name.
Result<json::Value> find_run(Api& api, const std::string& id_or_name);

// "run_id" and "run_name" of a run.
std::string run_id_of(const json::Value& run);
std::string run_name_of(const json::Value& run);

// The key and value of each item below "params", "metrics" or "tags" of a run.
using KeyValues = std::vector<std::pair<std::string, json::Value>>;
KeyValues values_of(const json::Value& run, std::string_view kind);

// About 320 points of a metric's history, in order: {"step", "timestamp", "value"}.
Result<json::Value::Array> sampled_history(Api& api, const std::string& run_id,
                                           const std::string& metric);

// Calls `use` for each point of the history, holding one page of them at a time.
Result<void> each_point(Api& api, const std::string& run_id, const std::string& metric,
                        const std::function<Result<void>(const json::Value& point)>& use);

}  // namespace ciclo::cli
