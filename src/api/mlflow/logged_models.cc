// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "base/text.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::LoggedModelId;
using tracking::LoggedModels;
using tracking::LoggedModelStatus;

Result<std::string> create(LoggedModels& models, const Context& context, const Input& input) {
  tracking::NewLoggedModel model;
  TRY(auto experiment, input.text("experiment_id"));
  model.experiment_id = tracking::ExperimentId(std::move(experiment));
  TRY(model.name, input.text_or_empty("name"));
  TRY(model.model_type, input.text_or_empty("model_type"));
  TRY(auto run, input.text_or_empty("source_run_id"));
  model.source_run_id = tracking::RunId(std::move(run));
  TRY(model.params, input.params("params"));
  TRY(model.tags, input.tags("tags"));
  TRY(const auto created, models.create(context, model));
  return object_with("model", created);
}

Result<std::string> get(LoggedModels& models, const Context& context, const LoggedModelId& id,
                        const Input&) {
  TRY(const auto model, models.get(context, id));
  return object_with("model", model);
}

Result<std::string> finalize(LoggedModels& models, const Context& context, const LoggedModelId& id,
                             const Input& input) {
  TRY(const auto word, input.word("status"));
  auto status = tracking::parse_logged_model_status(word);
  if (const auto number = parse_int(word); number && *number >= 0 && *number <= 3) {
    status = static_cast<LoggedModelStatus>(*number);
  }
  if (!status || *status == LoggedModelStatus::kUnspecified) {
    return invalid_argument(
        "status: expected LOGGED_MODEL_PENDING, LOGGED_MODEL_READY or "
        "LOGGED_MODEL_UPLOAD_FAILED, got " +
        quoted(word));
  }
  TRY(const auto model, models.finalize(context, id, *status));
  return object_with("model", model);
}

Result<std::string> remove(LoggedModels& models, const Context& context, const LoggedModelId& id,
                           const Input&) {
  TRY(models.remove(context, id));
  return "{}";
}

Result<std::string> log_params(LoggedModels& models, const Context& context,
                               const LoggedModelId& id, const Input& input) {
  TRY(const auto params, input.params("params"));
  TRY(models.log_params(context, id, params));
  return "{}";
}

Result<std::string> set_tags(LoggedModels& models, const Context& context, const LoggedModelId& id,
                             const Input& input) {
  TRY(const auto tags, input.tags("tags"));
  TRY(models.set_tags(context, id, tags));
  return "{}";
}

Result<tracking::DatasetName> dataset_of(const Fields& fields) {
  tracking::DatasetName dataset;
  TRY(dataset.name, fields.text_or_empty("dataset_name"));
  TRY(dataset.digest, fields.text_or_empty("dataset_digest"));
  return dataset;
}

// {"field_name": "metrics.auc", "ascending": false} as a term of the order language.
Result<std::string> order_term(const Fields& fields) {
  TRY(const auto name, fields.text("field_name"));
  TRY(const auto is_ascending, fields.boolean_or("ascending", true));
  return name + (is_ascending ? " ASC" : " DESC");
}

Result<std::string> search(LoggedModels& models, const Context& context, const Input& input) {
  tracking::LoggedModelSearch search;
  TRY(const auto experiments, input.texts("experiment_ids"));
  for (const auto& id : experiments) search.experiment_ids.emplace_back(id);
  TRY(search.filter, input.text_or_empty("filter"));
  TRY(input.each("order_by", [&](const Fields& fields) -> Result<void> {
    TRY(auto term, order_term(fields));
    TRY(auto dataset, dataset_of(fields));
    search.order_by.push_back(std::move(term));
    search.order_datasets.push_back(std::move(dataset));
    return {};
  }));
  TRY(input.each("datasets", [&](const Fields& fields) -> Result<void> {
    TRY(auto dataset, dataset_of(fields));
    search.datasets.push_back(std::move(dataset));
    return {};
  }));
  TRY(search.max_results, input.integer_or("max_results", search.max_results));
  TRY(search.page_token, input.text_or_empty("page_token"));
  TRY(const auto page, models.search(context, search));
  return page_with("models", page);
}

}  // namespace

void add_logged_model_routes(http::Router& router, const Services& services) {
  LoggedModels& models = services.logged_models;
  using Function =
      Result<std::string> (*)(LoggedModels&, const Context&, const LoggedModelId&, const Input&);
  const std::string base = "/2.0/mlflow/logged-models";
  const auto add = [&](std::string_view method, std::string_view tail, Function function) {
    add_handler(router, method, base + "/{model_id}" + std::string(tail),
                [&models, function](http::Request& request, http::Reply reply) {
                  const auto input = Input::of(request);
                  if (!input.ok()) return reply.send(malformed_response(input.error()));
                  const LoggedModelId id(std::string(request.path_value("model_id")));
                  auto answer = function(models, request.context, id, *input);
                  reply.send(answer.ok() ? http::Response::json(std::move(answer).value())
                                         : error_response(answer.error()));
                });
  };
  add_call(router, "POST", base, [&models](const Context& context, const Input& input) {
    return create(models, context, input);
  });
  add_call(router, "POST", base + "/search", [&models](const Context& context, const Input& input) {
    return search(models, context, input);
  });
  add("GET", "", get);
  add("PATCH", "", finalize);
  add("DELETE", "", remove);
  add("POST", "/params", log_params);
  add("PATCH", "/tags", set_tags);
  add_handler(
      router, "DELETE", base + "/{model_id}/tags/{tag_key*}",
      [&models](http::Request& request, http::Reply reply) {
        const auto removed = models.delete_tag(
            request.context, LoggedModelId(std::string(request.path_value("model_id"))),
            request.path_value("tag_key"));
        reply.send(removed.ok() ? http::Response::json("{}") : error_response(removed.error()));
      });
}

}  // namespace ciclo::api::mlflow
