// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>
#include <vector>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::ExperimentId;
using tracking::Tracking;

Result<ExperimentId> experiment_id(const Input& input) {
  TRY(auto id, input.text("experiment_id"));
  return ExperimentId(std::move(id));
}

Result<std::string> create(Tracking& tracking, const Context& context, const Input& input) {
  tracking::NewExperiment experiment;
  TRY(experiment.name, input.text("name"));
  TRY(experiment.artifact_location, input.text_or_empty("artifact_location"));
  TRY(experiment.tags, input.tags("tags"));
  TRY(const auto id, tracking.create_experiment(context, experiment));
  return object([&](json::Writer& out) { out.key("experiment_id").string(id.str()); });
}

Result<std::string> get(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, experiment_id(input));
  TRY(const auto experiment, tracking.experiment(context, id));
  return object_with("experiment", experiment);
}

Result<std::string> get_by_name(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto name, input.text("experiment_name"));
  TRY(const auto experiment, tracking.experiment_by_name(context, name));
  return object_with("experiment", experiment);
}

Result<std::string> update(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, experiment_id(input));
  TRY(const auto name, input.text("new_name"));
  TRY(tracking.rename_experiment(context, id, name));
  return "{}";
}

Result<std::string> remove(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, experiment_id(input));
  TRY(tracking.delete_experiment(context, id));
  return "{}";
}

Result<std::string> restore(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, experiment_id(input));
  TRY(tracking.restore_experiment(context, id));
  return "{}";
}

Result<std::string> set_tag(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, experiment_id(input));
  tracking::Tag tag;
  TRY(tag.key, input.text("key"));
  TRY(tag.value, input.text_or_empty("value"));
  TRY(tracking.set_experiment_tag(context, id, tag));
  return "{}";
}

Result<std::string> delete_tag(Tracking& tracking, const Context& context, const Input& input) {
  TRY(const auto id, experiment_id(input));
  TRY(const auto key, input.text("key"));
  TRY(tracking.delete_experiment_tag(context, id, key));
  return "{}";
}

Result<std::string> search(Tracking& tracking, const Context& context, const Input& input) {
  tracking::ExperimentSearch search;
  TRY(search.filter, input.text_or_empty("filter"));
  TRY(search.order_by, input.texts("order_by"));
  TRY(search.view, input.view_type("view_type"));
  TRY(search.max_results, input.integer_or("max_results", 0));
  TRY(search.page_token, input.text_or_empty("page_token"));
  TRY(const auto page, tracking.search_experiments(context, search));
  return page_with("experiments", page);
}

Result<std::string> search_datasets(Tracking& tracking, const Context& context,
                                    const Input& input) {
  TRY(const auto ids, input.texts("experiment_ids"));
  const std::vector<ExperimentId> experiments(ids.begin(), ids.end());
  TRY(const auto found, tracking.search_datasets(context, experiments));
  return object([&](json::Writer& out) {
    list_if_any(out, "dataset_summaries", found, [&](const tracking::DatasetSummary& dataset) {
      out.begin_object();
      out.key("experiment_id").string(dataset.experiment_id.str());
      out.key("name").string(dataset.name);
      out.key("digest").string(dataset.digest);
      if (!dataset.context.empty()) out.key("context").string(dataset.context);
      out.end_object();
    });
  });
}

}  // namespace

void add_experiment_routes(http::Router& router, const Services& services) {
  using Function = Result<std::string> (*)(Tracking&, const Context&, const Input&);
  const auto add = [&](std::string_view method, std::string_view name, Function function) {
    add_call(router, method, "/2.0/mlflow/experiments/" + std::string(name),
             [&tracking = services.tracking, function](const Context& context, const Input& input) {
               return function(tracking, context, input);
             });
  };
  add("POST", "create", create);
  add("GET", "get", get);
  add("GET", "get-by-name", get_by_name);
  add("POST", "update", update);
  add("POST", "delete", remove);
  add("POST", "restore", restore);
  add("POST", "set-experiment-tag", set_tag);
  add("POST", "delete-experiment-tag", delete_tag);
  add("POST", "search", search);
  add("GET", "search", search);
  add("POST", "search-datasets", search_datasets);
}

}  // namespace ciclo::api::mlflow
