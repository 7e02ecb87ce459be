// SPDX-License-Identifier: Apache-2.0
// Steps that judge a model: evaluate, gate.

#include <optional>
#include <utility>

#include "base/file.h"
#include "base/json_fields.h"
#include "evaluate/evaluate.h"
#include "evaluate/gate.h"
#include "steps/champion.h"
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

Result<Judged> judge(const Job& job, const train::Package& package) {
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

// The champion on the rows that judge its challenger. Neither member is set when there is none.
struct Champion {
  std::optional<Judged> judged;
  std::string obstacle;  // why it cannot be compared on these rows
};

bool is_about_rows(const Error& error) {
  return error.code == Code::kInvalidArgument || error.code == Code::kNotFound ||
         error.code == Code::kFailedPrecondition;
}

// A project may drop a column or gain a class, and its champion then cannot be asked any more: that
// is for the gate to weigh, and no failure of the step.
Result<Champion> judge_champion(const Job& job, const Judged& challenger) {
  const std::string directory = job.environment().string_or("champion_directory", "");
  Champion champion;
  champion.obstacle = job.environment().string_or("champion_obstacle", "");
  if (directory.empty()) return champion;
  const std::string name =
      "champion version " + job.environment().string_or("champion_version", "");
  auto package = train::Package::load(directory);
  if (!package.ok()) return package.error().with_context(name);
  auto judged = judge(job, *package);
  if (!judged.ok() && is_about_rows(judged.error())) {
    champion.obstacle = name + " cannot be compared on these rows: " + judged.error().message;
  } else if (!judged.ok()) {
    return judged.error().with_context(name);
  } else if (judged->space.task != challenger.space.task ||
             judged->space.classes != challenger.space.classes) {
    champion.obstacle = name + " cannot be compared: it knows other classes than the new model";
  } else {
    champion.judged = std::move(judged).value();
  }
  return champion;
}

}  // namespace

Result<void> evaluate(Job& job) {
  TRY(const train::Package package, train::Package::load(job.input("model")));
  TRY(const Judged judged, judge(job, package));
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
  TRY(const train::Package package, train::Package::load(job.input("model")));
  TRY(const Judged challenger, judge(job, package));
  const json::Value* rules = job.parameters().find("rules");
  CHECK(rules != nullptr);
  TRY(const evaluate::GateSpec spec, evaluate::parse_gate(*rules, challenger.space.task));
  TRY(const Champion champion, judge_champion(job, challenger));
  std::optional<evaluate::Scored> scored;
  if (champion.judged) scored = champion.judged->scored();
  TRY(const evaluate::Decision decision,
      evaluate::decide(spec, challenger.space.task, challenger.scored(), scored, challenger.columns,
                       champion.obstacle));
  TRY(write_file_durably(job.output("decision") / "decision.json",
                         evaluate::write_decision(decision)));
  job.property("decision", "passed", decision.passed);
  job.property("decision", "summary", decision.summary);
  job.property("decision", "champion", job.environment().string_or("champion_version", ""));
  job.property("decision", kJudgedAgainst, job.environment().string_or("champion", ""));
  job.tag("ciclo.gate", decision.summary);
  return {};
}

}  // namespace ciclo::steps
