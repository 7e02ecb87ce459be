// SPDX-License-Identifier: Apache-2.0
#include "cli/tracked.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "cli/cells.h"
#include "cli/table.h"
#include "http/message.h"

namespace ciclo::cli {
namespace {

constexpr std::int64_t kRunsPerPage = 500;
constexpr std::int64_t kExperimentsPerPage = 1000;
constexpr std::int64_t kPointsPerPage = 10'000;

const char* name_of(View view) {
  switch (view) {
    case View::kActive: return "ACTIVE_ONLY";
    case View::kDeleted: return "DELETED_ONLY";
    case View::kAll: return "ALL";
  }
  return "";
}

json::Value texts(const std::vector<std::string>& all) {
  json::Value list = json::Value::array();
  for (const auto& text : all) list.push_back(text);
  return list;
}

bool may_be_a_name(const Error& error) {
  return error.code == Code::kNotFound || error.code == Code::kInvalidArgument;
}

// Pages of a search by POST; `use` tells whether to go on.
Result<void> each_page(Api& api, const std::string& path, json::Value body, const char* list,
                       const std::function<Result<bool>(const json::Value::Array&)>& use) {
  for (;;) {
    TRY(const json::Value page, api.post(path, body));
    TRY(const bool more, use(items_of(page, list)));
    const std::string token = page.string_or("next_page_token", "");
    if (!more || token.empty()) return {};
    body["page_token"] = token;
  }
}

Result<std::vector<std::string>> ids_of(Api& api, const RunSearch& search) {
  std::vector<std::string> ids;
  for (const auto& name : search.experiments) {
    TRY(const json::Value experiment, find_experiment(api, name));
    ids.push_back(experiment.string_or("experiment_id", ""));
  }
  if (!search.experiments.empty()) return ids;
  // A deleted run may be in an experiment that is not.
  const View view = search.view == View::kActive ? View::kActive : View::kAll;
  TRY(const auto all, find_experiments(api, "", {}, view));
  for (const auto& experiment : all) ids.push_back(experiment.string_or("experiment_id", ""));
  return ids;
}

}  // namespace

std::optional<std::string> literal(const std::string& text) {
  if (text.find('\'') == std::string::npos) return "'" + text + "'";
  if (text.find('"') == std::string::npos) return "\"" + text + "\"";
  return std::nullopt;
}

Result<json::Value::Array> find_experiments(Api& api, const std::string& filter,
                                            const std::vector<std::string>& order_by, View view,
                                            std::int64_t limit) {
  json::Value::Array found;
  json::Value body = json::Value::object(
      {{"max_results", limit > 0 ? std::min(limit, kExperimentsPerPage) : kExperimentsPerPage},
       {"view_type", name_of(view)}});
  if (!filter.empty()) body["filter"] = filter;
  if (!order_by.empty()) body["order_by"] = texts(order_by);
  TRY(each_page(api, "/api/2.0/mlflow/experiments/search", std::move(body), "experiments",
                [&](const json::Value::Array& page) -> Result<bool> {
                  found.insert(found.end(), page.begin(), page.end());
                  return limit == 0 || std::ssize(found) < limit;
                }));
  if (limit > 0 && std::ssize(found) > limit) found.resize(static_cast<std::size_t>(limit));
  return found;
}

Result<json::Value> find_experiment(Api& api, const std::string& name_or_id) {
  const auto read = [](Result<json::Value> answer) -> Result<json::Value> {
    TRY(const json::Value document, std::move(answer));
    const json::Value* experiment = document.find("experiment");
    if (experiment == nullptr) return internal("the answer holds no experiment");
    return json::Value(*experiment);
  };
  auto by_name = read(api.get("/api/2.0/mlflow/experiments/get-by-name?experiment_name=" +
                              http::percent_encode(name_or_id)));
  if (by_name.ok() || !may_be_a_name(by_name.error())) return by_name;
  auto by_id = read(
      api.get("/api/2.0/mlflow/experiments/get?experiment_id=" + http::percent_encode(name_or_id)));
  if (by_id.ok() || !may_be_a_name(by_id.error())) return by_id;
  return not_found("there is no experiment of the name or id " + quoted(name_or_id) +
                   "; `ciclo experiments list` shows all");
}

Result<std::map<std::string, std::string>> experiment_names(Api& api) {
  std::map<std::string, std::string> names;
  TRY(const auto all, find_experiments(api, "", {}, View::kAll));
  for (const auto& experiment : all) {
    names[experiment.string_or("experiment_id", "")] = experiment.string_or("name", "");
  }
  return names;
}

Result<void> each_run(Api& api, const RunSearch& search,
                      const std::function<Result<void>(const json::Value& run)>& use) {
  TRY(const auto ids, ids_of(api, search));
  if (ids.empty()) return {};
  std::int64_t left = search.limit > 0 ? search.limit : INT64_MAX;
  json::Value body = json::Value::object({{"experiment_ids", texts(ids)},
                                          {"max_results", std::min(left, kRunsPerPage)},
                                          {"run_view_type", name_of(search.view)}});
  if (!search.filter.empty()) body["filter"] = search.filter;
  if (!search.order_by.empty()) body["order_by"] = texts(search.order_by);
  return each_page(api, "/api/2.0/mlflow/runs/search", std::move(body), "runs",
                   [&](const json::Value::Array& page) -> Result<bool> {
                     for (const auto& run : page) {
                       if (left-- == 0) return false;
                       TRY(use(run));
                     }
                     return left > 0;
                   });
}

Result<json::Value> find_run(Api& api, const std::string& id_or_name) {
  const auto by_id = api.get("/api/2.0/mlflow/runs/get?run_id=" + http::percent_encode(id_or_name));
  if (by_id.ok() && by_id->find("run") != nullptr) return json::Value(*by_id->find("run"));
  if (!by_id.ok() && !may_be_a_name(by_id.error())) return by_id.error();
  std::vector<json::Value> found;
  if (const auto name = literal(id_or_name)) {
    const RunSearch search{
        .filter = "attributes.run_name = " + *name, .view = View::kAll, .limit = 2};
    TRY(each_run(api, search, [&](const json::Value& run) -> Result<void> {
      found.push_back(run);
      return {};
    }));
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.empty()) {
    return not_found("there is no run of the id or name " + quoted(id_or_name) +
                     "; `ciclo runs list` shows the newest");
  }
  return invalid_argument("several runs have the name " + quoted(id_or_name) + ", such as " +
                          run_id_of(found[0]) + " and " + run_id_of(found[1]) +
                          ": name the one that is meant by its id");
}

std::string run_id_of(const json::Value& run) {
  const json::Value* info = run.find("info");
  return info == nullptr ? "" : info->string_or("run_id", "");
}

std::string run_name_of(const json::Value& run) {
  const json::Value* info = run.find("info");
  return info == nullptr ? "" : info->string_or("run_name", "");
}

KeyValues values_of(const json::Value& run, std::string_view kind) {
  KeyValues values;
  for (const auto& item : items_of(run.find("data"), kind)) {
    const json::Value* value = item.find("value");
    values.emplace_back(item.string_or("key", ""), value == nullptr ? json::Value("") : *value);
  }
  return values;
}

Result<json::Value::Array> sampled_history(Api& api, const std::string& run_id,
                                           const std::string& metric) {
  TRY(const json::Value answer,
      api.get("/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?max_results=320&run_ids=" +
              http::percent_encode(run_id) + "&metric_key=" + http::percent_encode(metric)));
  return items_of(answer, "metrics");
}

Result<void> each_point(Api& api, const std::string& run_id, const std::string& metric,
                        const std::function<Result<void>(const json::Value& point)>& use) {
  const std::string path =
      "/api/2.0/mlflow/metrics/get-history?max_results=" + std::to_string(kPointsPerPage) +
      "&run_id=" + http::percent_encode(run_id) + "&metric_key=" + http::percent_encode(metric);
  std::string token;
  do {
    const std::string page_path =
        token.empty() ? path : path + "&page_token=" + http::percent_encode(token);
    TRY(const json::Value page, api.get(page_path));
    for (const auto& point : items_of(page, "metrics")) TRY(use(point));
    token = page.string_or("next_page_token", "");
  } while (!token.empty());
  return {};
}

}  // namespace ciclo::cli
