// SPDX-License-Identifier: Apache-2.0
// Steps that learn: tune, train.

#include <cmath>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/version.h"
#include "data/statistics.h"
#include "evaluate/metrics.h"
#include "steps/data_set.h"
#include "steps/job.h"
#include "steps/learning_data.h"
#include "tune/sampler.h"

namespace ciclo::steps {
namespace {

json::Value merged(json::Value base, const json::Value& over) {
  for (const auto& [key, value] : over.members()) base[key] = value;
  return base;
}

int rounds_planned(const json::Value& parameters) {
  return static_cast<int>(
      parameters.integer_or("rounds", parameters.integer_or("num_boost_round", 0)));
}

train::FitOptions fit_options(const LearningData& data, const LearningParameters& parameters) {
  train::FitOptions options;
  options.feature_names = data.transform.outputs();
  options.seed = static_cast<std::uint64_t>(parameters.seed);
  return options;
}

// Predictions on the validation rows; empty when there are none.
Result<std::vector<double>> validation_predictions(const LearningData& data,
                                                   const train::Model& model) {
  const auto validation = data.validation();
  if (!validation) return std::vector<double>();
  std::vector<double> out(validation->features.rows * model.outputs());
  TRY(model.predict(validation->features, out));
  return out;
}

evaluate::Scored scored(const std::vector<double>& labels, const std::vector<double>& predictions,
                        std::size_t outputs) {
  evaluate::Scored both;
  both.labels = labels;
  both.predictions = predictions;
  both.outputs = outputs;
  return both;
}

}  // namespace

Result<void> tune(Job& job) {
  TRY(const LearningParameters parameters, json::read_node<LearningParameters>(job.parameters()));
  TRY(const train::Learner* learner, train::find_learner(parameters.learner));
  TRY(const LearningData data, prepare(job, parameters));
  if (!data.validation())
    return failed_precondition("tuning needs validation rows, but the split gave none");
  TRY(const std::vector<double> labels,
      train::label_numbers(data.validation_rows.label, data.space));

  const json::Value* space_node = job.parameters().find("space");
  CHECK(space_node != nullptr);
  TRY(const tune::Space space, tune::parse_space(*space_node));
  const tune::RandomSampler sampler(space, static_cast<std::uint64_t>(parameters.seed));
  std::string metric_name = job.parameters().string_or("metric", "");
  if (metric_name.empty()) metric_name = evaluate::metrics_of(data.space.task).front().name;
  TRY(const evaluate::MetricKind metric, evaluate::find_metric(data.space.task, metric_name));
  const std::int64_t trials = job.parameters().integer_or("trials", 1);

  json::Value best;
  double best_value = 0;
  json::Value all = json::Value::array();
  for (std::int64_t number = 0; number < trials; ++number) {
    job.progress(static_cast<double>(number), static_cast<double>(trials),
                 "trial " + std::to_string(number + 1) + " of " + std::to_string(trials));
    const json::Value suggestion = sampler.suggest(static_cast<std::uint64_t>(number));
    const json::Value chosen = merged(parameters.parameters, suggestion);
    TRY(const auto model, learner->fit(data.space, data.training(), data.validation(), chosen,
                                       fit_options(data, parameters)));
    TRY(const std::vector<double> predictions, validation_predictions(data, *model));
    TRY(const auto value, evaluate::measure(data.space.task, metric.name,
                                            scored(labels, predictions, model->outputs())));
    json::Value trial = json::Value::object({{"trial", number},
                                             {"parameters", suggestion},
                                             {"metric", metric_name},
                                             {"value", value ? json::Value(*value) : json::Value()},
                                             {"rounds", model->rounds()}});
    job.property("parameters", "trial_" + std::to_string(number), trial);
    all.push_back(trial);
    if (!value) continue;
    job.metric("trial." + metric_name, *value, number);
    const bool better = metric.direction == evaluate::Direction::kHigherIsBetter
                            ? *value > best_value
                            : *value < best_value;
    if (best.is_null() || better) {
      best = suggestion;
      best_value = *value;
    }
  }
  if (best.is_null()) {
    return failed_precondition("metric " + metric_name +
                               " is undefined on the validation rows in every trial");
  }
  TRY(write_file_durably(job.output("parameters") / "parameters.json", json::dump_pretty(best)));
  TRY(write_file_durably(job.output("parameters") / "trials.json", json::dump_pretty(all)));
  job.property("parameters", "best", best);
  job.property("parameters", metric_name, best_value);
  return {};
}

namespace {

// The parameters that the project sets, with those that tuning found over them.
Result<json::Value> final_parameters(const Job& job, const LearningParameters& parameters) {
  if (!job.has_input("parameters")) return parameters.parameters;
  TRY(const std::string text, read_file(job.input("parameters") / "parameters.json"));
  TRY(const json::Value found, json::parse(text));
  return merged(parameters.parameters, found);
}

data::Batch head(const data::Batch& rows, std::size_t count) {
  data::Batch out;
  for (const data::Column& column : rows.columns) {
    data::Column& copy = out.columns.emplace_back();
    copy.name = column.name;
    copy.type = column.type;
    for (std::size_t row = 0; row < std::min(count, column.rows()); ++row) {
      if (column.is_null(row)) {
        copy.append_null();
      } else if (column.type == data::ColumnType::kText) {
        copy.append(std::string_view(column.texts[row]));
      } else {
        copy.append(column.numbers[row]);
      }
    }
  }
  return out;
}

// The predictions as columns, for the statistics that live predictions are compared with.
data::Statistics prediction_statistics(const std::vector<std::string>& names,
                                       const std::vector<double>& predictions) {
  data::Batch batch;
  for (std::size_t output = 0; output < names.size(); ++output) {
    data::Column& column = batch.columns.emplace_back();
    column.name = names[output];
    column.type = data::ColumnType::kNumber;
    for (std::size_t i = output; i < predictions.size(); i += names.size()) {
      column.append(predictions[i]);
    }
  }
  data::StatisticsBuilder builder;
  builder.add(batch);
  return builder.build();
}

// Metrics of the finished model on the validation rows, as "validation_auc".
Result<void> report_validation(const Job& job, const LearningData& data, const train::Model& model,
                               const std::vector<double>& predictions) {
  if (predictions.empty()) return {};
  TRY(const std::vector<double> labels,
      train::label_numbers(data.validation_rows.label, data.space));
  for (const evaluate::MetricKind& metric : evaluate::metrics_of(data.space.task)) {
    TRY(const auto value, evaluate::measure(data.space.task, metric.name,
                                            scored(labels, predictions, model.outputs())));
    if (!value) continue;
    job.metric("validation_" + std::string(metric.name), *value, model.rounds());
    job.property("model", "validation_" + std::string(metric.name), *value);
  }
  return {};
}

void report_parameters(const Job& job, const json::Value& checked) {
  for (const auto& [key, value] : checked.members()) {
    job.param(key, value.is_string() ? value.string() : json::dump(value));
  }
}

// What the model was made from. Facts of content alone: with ids or times in it, the same training
// would be another artifact each time, and everything after it would run again.
json::Value lineage_of(const Job& job, const LearningParameters& parameters) {
  json::Value lineage = json::Value::object();
  if (const json::Value* origin = job.environment().find("origin"); origin != nullptr) {
    lineage = *origin;
  }
  lineage["parameters"] = job.parameters();
  lineage["learner"] = json::Value::object(
      {{"kind", parameters.learner}, {"version", train::learner_version(parameters.learner)}});
  lineage["program"] = json::Value::object({{"name", "ciclo"}, {"version", kVersion}});
  return lineage;
}

}  // namespace

Result<void> train(Job& job) {
  TRY(const LearningParameters parameters, json::read_node<LearningParameters>(job.parameters()));
  TRY(const train::Learner* learner, train::find_learner(parameters.learner));
  TRY(const json::Value chosen, final_parameters(job, parameters));
  TRY(const json::Value checked, learner->check_parameters(chosen));
  job.progress(0, 0, "reading and transforming");
  TRY(LearningData data, prepare(job, parameters));
  job.param("learner", parameters.learner);
  job.param("seed", std::to_string(parameters.seed));
  report_parameters(job, checked);

  train::FitOptions options = fit_options(data, parameters);
  const int planned = rounds_planned(checked);
  options.on_round = [&](const train::Round& round) {
    for (const auto& [key, value] : round.metrics) job.metric(key, value, round.number);
    job.progress(round.number + 1, planned, "round " + std::to_string(round.number + 1));
    return true;
  };
  TRY(std::shared_ptr<const train::Model> model,
      learner->fit(data.space, data.training(), data.validation(), chosen, options));
  TRY(const std::vector<double> predictions, validation_predictions(data, *model));
  TRY(report_validation(job, data, *model, predictions));

  std::vector<std::string> inputs;
  for (const features::Input& input : data.transform.inputs()) inputs.push_back(input.name);
  TRY(data::Statistics statistics,
      data::compute_statistics(job.engine(), job.context(), data_set_table(job.input("train"), "t"),
                               inputs));

  train::Package::Parts parts{.transform = data.transform,
                              .space = data.space,
                              .model = model,
                              .metadata = {},
                              .lineage = lineage_of(job, parameters),
                              .example = head(data.training_rows.features, 3),
                              .null_texts = parameters.null_texts,
                              .features = std::make_shared<data::Statistics>(std::move(statistics)),
                              .predictions = nullptr};
  parts.metadata.target = parameters.target;
  parts.metadata.parameters = checked;
  parts.metadata.training_rows = static_cast<std::int64_t>(data.training_labels.size());
  if (!predictions.empty()) {
    const train::Package unwritten = train::Package::assemble(parts);
    parts.predictions = std::make_shared<data::Statistics>(
        prediction_statistics(unwritten.signature().outputs, predictions));
  }
  TRY(train::Package::assemble(std::move(parts)).write(job.output("model")));
  job.property("model", "learner", parameters.learner);
  job.property("model", "rounds", model->rounds());
  job.property("model", "training_rows", static_cast<std::int64_t>(data.training_labels.size()));
  return {};
}

}  // namespace ciclo::steps
