// SPDX-License-Identifier: Apache-2.0
// ciclo experiments …
#include <cstdio>

#include "base/text.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "cli/tracked.h"

namespace ciclo::cli {
namespace {

void print_experiments(const json::Value::Array& all) {
  Table table({"id", "experiment", "state", "created", "updated"});
  for (const auto& experiment : all) {
    table.add({cell(experiment, "experiment_id"), cell(experiment, "name"),
               cell(experiment, "lifecycle_stage"),
               ago(integer_of(experiment, "creation_time"), now_ms()),
               ago(integer_of(experiment, "last_update_time"), now_ms())});
  }
  table.print();
}

// Calls the path for the experiment and says what was done.
Result<void> change(Session& session, const std::string& name_or_id, const char* path,
                    json::Value more, const std::string& done) {
  TRY(Api * api, session.api());
  TRY(const json::Value experiment, find_experiment(*api, name_or_id));
  const std::string id = experiment.string_or("experiment_id", "");
  more["experiment_id"] = id;
  TRY(api->post(std::string("/api/2.0/mlflow/experiments/") + path, more));
  session.show(more, [&] {
    std::printf("experiment %s (%s) %s\n", cell(experiment, "name").c_str(), id.c_str(),
                done.c_str());
  });
  return {};
}

Result<json::Value> tags_of(const std::vector<std::string>& tags) {
  json::Value list = json::Value::array();
  for (const auto& tag : tags) {
    const std::size_t equals = tag.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return invalid_argument("--tag " + ciclo::quoted(tag) + " must be KEY=VALUE");
    }
    list.push_back(
        json::Value::object({{"key", tag.substr(0, equals)}, {"value", tag.substr(equals + 1)}}));
  }
  return list;
}

}  // namespace

Result<void> experiments_list(Session& session, const ListOptions& options) {
  TRY(Api * api, session.api());
  TRY(const auto all,
      find_experiments(*api, options.filter, options.order_by, options.view(), options.limit));
  session.show(json::Value::object({{"experiments", all}}), [&] { print_experiments(all); });
  return {};
}

Result<void> experiments_show(Session& session, const std::string& name_or_id) {
  TRY(Api * api, session.api());
  TRY(json::Value experiment, find_experiment(*api, name_or_id));
  json::Value::Array newest;
  const RunSearch search{.experiments = {experiment.string_or("experiment_id", "")}, .limit = 5};
  TRY(each_run(*api, search, [&](const json::Value& run) -> Result<void> {
    newest.push_back(run);
    return {};
  }));
  experiment["newest_runs"] = newest;
  session.show(experiment, [&] {
    print_experiments({experiment});
    std::printf("\nartifacts: %s\n\n", cell(experiment, "artifact_location").c_str());
    Table tags({"tag", "value"});
    for (const auto& tag : items_of(experiment, "tags")) {
      tags.add({cell(tag, "key"), cell(tag, "value")});
    }
    if (!tags.empty()) {
      tags.print();
      std::printf("\n");
    }
    Table runs({"newest runs", "name", "status", "started"});
    for (const auto& run : newest) {
      const json::Value& info = *run.find("info");
      runs.add({run_id_of(run), cell(info, "run_name"), cell(info, "status"),
                ago(integer_of(info, "start_time"), now_ms())});
    }
    runs.print();
  });
  return {};
}

Result<void> experiments_create(Session& session, const std::string& name,
                                const std::vector<std::string>& tags) {
  TRY(const json::Value list, tags_of(tags));
  TRY(Api * api, session.api_or_new());
  TRY(const json::Value made, api->post("/api/2.0/mlflow/experiments/create",
                                        json::Value::object({{"name", name}, {"tags", list}})));
  session.show(made, [&] {
    std::printf("experiment %s has the id %s\n", name.c_str(), cell(made, "experiment_id").c_str());
  });
  return {};
}

Result<void> experiments_rename(Session& session, const std::string& name_or_id,
                                const std::string& new_name) {
  return change(session, name_or_id, "update", json::Value::object({{"new_name", new_name}}),
                "is now called " + new_name);
}

Result<void> experiments_delete(Session& session, const std::string& name_or_id) {
  return change(session, name_or_id, "delete", json::Value::object(),
                "is deleted with its runs; `ciclo experiments restore` brings it back");
}

Result<void> experiments_restore(Session& session, const std::string& name_or_id) {
  return change(session, name_or_id, "restore", json::Value::object(), "is restored");
}

}  // namespace ciclo::cli
