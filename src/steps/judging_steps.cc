// SPDX-License-Identifier: Apache-2.0
// Steps that judge a model: evaluate, gate.

#include <optional>
#include <utility>

#include "base/file.h"
#include "base/json_fields.h"
#include "evaluate/evaluate.h"
#include "evaluate/gate.h"
#include "steps/job.h"
#include "steps/learning_data.h"

namespace ciclo::steps {
namespace {

// A package's predictions on the rows of the input port "test".
struct Judged {
  train::LabelSpace space;
  data::Batch columns;
  std::vector<double> labels;
  std::vector<double> predictions;
  std::size_t outputs = 1;

  evaluate::Scored scored() const {
    evaluate::Scored both;
    both.labels = labels;
    both.predictions = predictions;
    both.outputs = outputs;
    return both;
  }
};

Result<Judged> judge(const Job& job, const std::filesystem::path& package_directory) {
  TRY(const train::Package package, train::Package::load(package_directory));
  LearningParameters parameters;
  parameters.target = package.metadata().target;
  TRY(Rows rows, read_rows(job, "test", parameters));
  Judged judged;
  judged.space = {package.metadata().task, package.metadata().classes};
  TRY(judged.labels, train::label_numbers(rows.label, judged.space));
  TRY(train::Predictions predictions, package.predict(rows.features));
  judged.columns = std::move(rows.features);
  judged.predictions = std::move(predictions.values);
  judged.outputs = predictions.outputs;
  return judged;
}

// Of the report, what a summary shows: intervals, and the headline metric of each slice.
void tell_intervals(const Job& job, const evaluate::Report& report) {
  json::Value intervals = json::Value::object();
  for (const evaluate::MetricValue& metric : report.metrics) {
    if (!metric.low || !metric.high) continue;
    json::Value& ends = intervals[metric.metric] = json::Value::array();
    ends.push_back(*metric.low);
    ends.push_back(*metric.high);
  }
  job.property("report", "intervals", intervals);
  json::Value slices = json::Value::array();
  for (const evaluate::SliceReport& slice : report.slices) {
    if (slice.metrics.empty()) continue;
    const evaluate::MetricValue& headline = slice.metrics.front();
    const auto number = [](const std::optional<double>& value) {
      return value ? json::Value(*value) : json::Value();
    };
    slices.push_back(json::Value::object({{"column", slice.column},
                                          {"value", slice.value},
                                          {"rows", slice.rows},
                                          {"metric", headline.metric},
                                          {"observed", number(headline.value)},
                                          {"low", number(headline.low)},
                                          {"high", number(headline.high)}}));
  }
  job.property("report", "slices", slices);
}

}  // namespace

Result<void> evaluate(Job& job) {
  TRY(const Judged judged, judge(job, job.input("model")));
  evaluate::EvaluateOptions options;
  if (const json::Value* slices = job.parameters().find("slices"); slices != nullptr) {
    TRY(options.slice_columns, json::read_node<std::vector<std::string>>(*slices));
  }
  TRY(const evaluate::Report report,
      evaluate::evaluate(judged.space.task, judged.scored(), judged.columns, options));
  TRY(write_file_durably(job.output("report") / "report.json", evaluate::write_report(report)));
  job.property("report", "rows", report.rows);
  tell_intervals(job, report);
  for (const evaluate::MetricValue& metric : report.metrics) {
    if (!metric.value) continue;
    job.metric("test_" + metric.metric, *metric.value, 0);
    job.property("report", metric.metric, *metric.value);
  }
  return {};
}

Result<void> gate(Job& job) {
  TRY(const Judged challenger, judge(job, job.input("model")));
  std::optional<Judged> champion;
  const std::string champion_directory = job.environment().string_or("champion_directory", "");
  if (!champion_directory.empty()) {
    TRY(champion, judge(job, champion_directory));
    if (champion->space.classes != challenger.space.classes) {
      return failed_precondition(
          "the champion knows other classes than the new model, so they cannot be compared");
    }
  }
  const json::Value* rules = job.parameters().find("rules");
  CHECK(rules != nullptr);
  TRY(const evaluate::GateSpec spec, evaluate::parse_gate(*rules, challenger.space.task));
  std::optional<evaluate::Scored> champion_scored;
  if (champion) champion_scored = champion->scored();
  TRY(const evaluate::Decision decision,
      evaluate::decide(spec, challenger.space.task, challenger.scored(), champion_scored,
                       challenger.columns));
  TRY(write_file_durably(job.output("decision") / "decision.json",
                         evaluate::write_decision(decision)));
  job.property("decision", "passed", decision.passed);
  job.property("decision", "summary", decision.summary);
  job.property("decision", "champion", job.environment().string_or("champion_version", ""));
  job.tag("ciclo.gate", decision.summary);
  return {};
}

}  // namespace ciclo::steps
