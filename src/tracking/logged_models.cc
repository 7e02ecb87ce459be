// SPDX-License-Identifier: Apache-2.0
#include "tracking/logged_models.h"

#include <utility>

#include "base/text.h"
#include "sql/once.h"
#include "tracking/limits.h"
#include "tracking/run_names.h"
#include "tracking/store.h"

namespace ciclo::tracking {

namespace {

constexpr std::int64_t kSearchMax = 1'000;

Error no_such(const LoggedModelId& id) {
  return not_found("no logged model with id " + quoted(id.str()) + " exists");
}

Result<store::ModelRow> required(sql::Reader& reader, const Context& context,
                                 const LoggedModelId& id) {
  TRY(auto found, store::find_model(reader, context.workspace, id));
  if (!found) return no_such(id);
  return std::move(*found);
}

Result<void> check_name(std::string_view name) {
  for (const char c : name) {
    if (std::string_view("/:.%\"'").find(c) != std::string_view::npos) {
      return invalid_argument("model name " + quoted(name) + " must not hold any of / : . % \" '");
    }
  }
  return check_length("model name", name, kDatasetNameLengthMax);
}

Result<void> check_params(std::span<const Param> params) {
  for (const auto& param : params) {
    TRY(check_key("param", param.key));
    TRY(check_length("param " + quoted(param.key) + " value", param.value, kParamValueLengthMax));
  }
  return {};
}

Result<void> check_tags(std::span<const Tag> tags) {
  for (const auto& tag : tags) {
    TRY(check_key("tag", tag.key));
    TRY(check_length("tag " + quoted(tag.key) + " value", tag.value, kTagValueLengthMax));
  }
  return {};
}

}  // namespace

LoggedModels::LoggedModels(sql::Database& database, Clock& clock, IdSource& ids, Random& random)
    : database_(database), clock_(clock), ids_(ids), random_(random) {}

Result<LoggedModel> LoggedModels::create(const Context& context, const NewLoggedModel& wanted) {
  TRY(check_name(wanted.name));
  TRY(check_params(wanted.params));
  TRY(check_tags(wanted.tags));
  LoggedModel model;
  model.model_id = LoggedModelId("m-" + ids_.next());
  model.experiment_id = wanted.experiment_id.empty() ? ExperimentId("0") : wanted.experiment_id;
  model.name = wanted.name.empty() ? generated_name(random_) : wanted.name;
  model.model_type = wanted.model_type;
  model.source_run_id = wanted.source_run_id;
  model.created_ms = clock_.now_ms();
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<LoggedModel> {
    TRY(const std::int64_t number, store::experiment_number(model.experiment_id));
    TRY(const auto experiment, store::find_experiment_row(txn, context.workspace, number));
    if (!experiment) {
      return not_found("no experiment with id " + quoted(model.experiment_id.str()) + " exists");
    }
    if (experiment->lifecycle_stage != LifecycleStage::kActive) {
      return failed_precondition("experiment " + model.experiment_id.str() +
                                 " is deleted: restore it before adding models");
    }
    LoggedModel row = model;
    row.artifact_location =
        experiment->artifact_location + "/models/" + model.model_id.str() + "/artifacts";
    TRY(const std::int64_t model_number, store::insert_model(txn, row));
    TRY(store::insert_model_params(txn, model_number, wanted.params));
    TRY(store::put_model_tags(txn, model_number, wanted.tags));
    TRY(auto stored, required(txn, context, model.model_id));
    return std::move(stored.model);
  });
}

Result<LoggedModel> LoggedModels::get(const Context& context, const LoggedModelId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<LoggedModel> {
    TRY(auto row, required(reader, context, id));
    return std::move(row.model);
  });
}

Result<LoggedModel> LoggedModels::finalize(const Context& context, const LoggedModelId& id,
                                           LoggedModelStatus status) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<LoggedModel> {
    TRY(const auto row, required(txn, context, id));
    TRY(store::set_model_status(txn, row.number, status, clock_.now_ms()));
    TRY(auto changed, required(txn, context, id));
    return std::move(changed.model);
  });
}

Result<void> LoggedModels::remove(const Context& context, const LoggedModelId& id) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const bool found, store::delete_model(txn, context.workspace, id, clock_.now_ms()));
    if (!found) return no_such(id);
    return {};
  });
}

Result<void> LoggedModels::log_params(const Context& context, const LoggedModelId& id,
                                      std::span<const Param> params) {
  TRY(check_params(params));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required(txn, context, id));
    return store::insert_model_params(txn, row.number, params);
  });
}

Result<void> LoggedModels::set_tags(const Context& context, const LoggedModelId& id,
                                    std::span<const Tag> tags) {
  TRY(check_tags(tags));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required(txn, context, id));
    return store::put_model_tags(txn, row.number, tags);
  });
}

Result<void> LoggedModels::delete_tag(const Context& context, const LoggedModelId& id,
                                      std::string_view key) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required(txn, context, id));
    TRY(const bool removed, store::remove_model_tag(txn, row.number, key));
    if (!removed) return not_found("logged model " + id.str() + " has no tag " + quoted(key));
    return {};
  });
}

Result<Page<LoggedModel>> LoggedModels::search(const Context& context,
                                               const LoggedModelSearch& search) {
  TRY(check_max_results(search.max_results, kSearchMax));
  if (search.experiment_ids.empty()) {
    return invalid_argument("experiment_ids: at least one experiment is needed");
  }
  std::string binding;
  for (const auto& id : search.experiment_ids) binding += "," + id.str();
  for (const auto& dataset : search.datasets) {
    if (dataset.name.empty()) return invalid_argument("datasets: each needs a dataset_name");
    binding += "|" + dataset.name + "/" + dataset.digest;
  }
  for (const auto& dataset : search.order_datasets) {
    binding += ">" + dataset.name + "/" + dataset.digest;
  }
  const SearchText text{search.filter,      search.order_by, search.page_token,
                        std::move(binding), search.datasets, search.order_datasets};
  return database_.view([&](sql::Reader& reader) {
    return store::search_models(reader, context.workspace, search.experiment_ids, text,
                                search.max_results);
  });
}

}  // namespace ciclo::tracking
