// SPDX-License-Identifier: Apache-2.0
#include "steps/pipelines_of_project.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "monitor/config.h"
#include "steps/learning_data.h"

namespace ciclo::steps {
namespace {

constexpr std::string_view kRetraining = "-retraining";

pipeline::StepSpec& add(pipeline::PipelineSpec& spec, std::string name, std::string kind) {
  pipeline::StepSpec& step = spec.steps.emplace_back();
  step.name = std::move(name);
  step.kind = std::move(kind);
  return step;
}

Result<void> add_ingestion(pipeline::PipelineSpec& spec, const Project& project,
                           const Submission& submission) {
  for (const auto& [table, source] : project.data) {
    const auto files = submission.files.find(table);
    if (files == submission.files.end() || files->second.empty()) {
      return invalid_argument("the submission has no file for table " + quoted(table));
    }
    pipeline::StepSpec& ingest = add(spec, "ingest_" + table, "ingest");
    ingest.parameters["name"] = project.name + "." + table;
    ingest.parameters["files"] = json::to_value(files->second);
    ingest.parameters["options"] = json::to_value(source.options);
    const auto schema = submission.schemas.find(table);
    if (schema == submission.schemas.end()) continue;
    pipeline::StepSpec& validate = add(spec, "validate_" + table, "validate");
    validate.inputs["dataset"] = "ingest_" + table + ".dataset";
    validate.parameters["table"] = table;
    validate.parameters["schema"] = schema->second;
  }
  return {};
}

std::string condition(const Table& table) {
  std::vector<std::string> parts;
  if (!table.query.where.empty()) parts.push_back("(" + table.query.where + ")");
  const std::string time = data::quote_identifier(table.time);
  if (!table.since.empty())
    parts.push_back(time + " >= TIMESTAMP " + data::quote_literal(table.since));
  if (!table.until.empty())
    parts.push_back(time + " < TIMESTAMP " + data::quote_literal(table.until));
  return join(parts, " AND ");
}

void add_assembly(pipeline::PipelineSpec& spec, const Project& project,
                  const Submission& submission) {
  pipeline::StepSpec& step = add(spec, "assemble", "assemble");
  const data::TableQuery query = examples_query(project);
  json::Value tables = json::Value::object();
  const auto bind = [&](const std::string& port, const std::string& table) {
    step.inputs[port] = "ingest_" + table + ".dataset";
    tables[port] = table;
    if (submission.schemas.contains(table)) step.after.push_back("validate_" + table);
  };
  bind("base", query.from);
  std::set<std::string> bound = {query.from};
  for (const data::Join& join : query.joins) {
    if (bound.insert(join.table).second)
      bind("join" + std::to_string(bound.size() - 1), join.table);
  }
  step.parameters["name"] = examples_name(project);
  step.parameters["query"] = json::to_value(query);
  step.parameters["tables"] = std::move(tables);
  step.parameters["order_by"] = project.table.time;
}

void add_split(pipeline::PipelineSpec& spec, const data::SplitRule& rule,
               const std::string& input) {
  pipeline::StepSpec& step = add(spec, "split", "split");
  step.inputs["dataset"] = input;
  step.parameters["rule"] = json::to_value(rule);
}

json::Value learning_parameters(const Project& project) {
  LearningParameters parameters;
  parameters.target = project.target;
  parameters.task = train::task_name(project.task);
  parameters.positive = project.positive;
  parameters.columns = project.columns;
  for (const auto& name : {project.table.time, project.table.key}) {
    if (!name.empty()) parameters.exclude.push_back(name);
  }
  if (project.split.kind == data::SplitKind::kGroup) {
    for (const auto& name : project.split.columns) parameters.exclude.push_back(name);
  }
  parameters.transforms = project.transforms;
  parameters.learner = project.train.learner;
  parameters.parameters = project.train.parameters;
  parameters.seed = project.train.seed;
  const Source& source = project.data.at(project.table.query.from);
  parameters.null_texts = data::null_texts_of(source.files, source.options);
  return json::to_value(parameters);
}

void add_tuning(pipeline::PipelineSpec& spec, const Project& project) {
  pipeline::StepSpec& step = add(spec, "tune", "tune");
  step.inputs = {{"train", "split.train"}, {"validation", "split.validation"}};
  step.parameters = learning_parameters(project);
  step.parameters["trials"] = project.tune.trials;
  step.parameters["metric"] = project.tune.metric;
  step.parameters["space"] = project.tune.space;
}

std::int64_t window_ms_of(const Project& project) {
  const auto plan = monitor::plan_of(project.monitor);
  CHECK(plan.ok());  // read_project has checked it
  return plan->window_ms;
}

// train → evaluate → gate → register → window → deploy: the same in training and retraining.
void add_model(pipeline::PipelineSpec& spec, const Project& project, const json::Value& learning,
               const std::string& tuned) {
  pipeline::StepSpec& train = add(spec, "train", "train");
  train.inputs = {{"train", "split.train"}, {"validation", "split.validation"}};
  if (!tuned.empty()) train.inputs["parameters"] = tuned;
  train.parameters = learning;

  pipeline::StepSpec& evaluate = add(spec, "evaluate", "evaluate");
  evaluate.inputs = {{"model", "train.model"}, {"test", "split.test"}};
  evaluate.parameters["slices"] = json::to_value(project.slices);

  const bool gated = !project.gate.is_null() && !project.gate.members().empty();
  if (gated) {
    pipeline::StepSpec& gate = add(spec, "gate", "gate");
    gate.inputs = {{"model", "train.model"}, {"test", "split.test"}};
    gate.parameters["model"] = project.name;
    gate.parameters["rules"] = project.gate;
  }
  pipeline::StepSpec& enter = add(spec, "register", "register");
  enter.inputs = {{"model", "train.model"}};
  enter.parameters["model"] = project.name;
  enter.after = {"evaluate"};
  if (gated) {
    enter.inputs["decision"] = "gate.decision";
    enter.when = pipeline::Condition{"decision", "passed", true};
  }
  if (project.endpoint.empty()) return;
  const bool has_windows = !project.table.time.empty() && !project.monitor.is_null();
  if (has_windows) {
    // A step of its own: the length of the monitor's windows is no part of the model.
    pipeline::StepSpec& window = add(spec, "window", "window");
    window.inputs = {
        {"model", "train.model"}, {"train", "split.train"}, {"validation", "split.validation"}};
    window.after = {"register"};
    window.parameters["time"] = project.table.time;
    window.parameters["window_ms"] = window_ms_of(project);
  }
  pipeline::StepSpec& deploy = add(spec, "deploy", "deploy");
  deploy.inputs = {{"model", "train.model"}};
  if (gated) deploy.inputs["decision"] = "gate.decision";
  if (has_windows) deploy.inputs["windows"] = "window.windows";
  deploy.after = {"register"};
  deploy.parameters["model"] = project.name;
  deploy.parameters["endpoint"] = project.endpoint;
  deploy.parameters["monitor"] = project.monitor;
}

void apply_attempts(pipeline::PipelineSpec& spec, const Project& project) {
  for (pipeline::StepSpec& step : spec.steps) {
    const auto own = project.pipeline.kinds.find(step.kind);
    const Attempts& attempts =
        own == project.pipeline.kinds.end() ? project.pipeline.all : own->second;
    step.retries = attempts.retries;
    step.timeout_ms = attempts.timeout_ms;
  }
}

}  // namespace

data::TableQuery examples_query(const Project& project) {
  data::TableQuery query = project.table.query;
  query.where = condition(project.table);
  return query;
}

std::string examples_name(const Project& project) { return project.name + ".examples"; }

std::string retraining_name(const std::string& project) {
  return project + std::string(kRetraining);
}

std::string experiment_of(const std::string& pipeline) {
  if (!pipeline.ends_with(kRetraining)) return pipeline;
  return pipeline.substr(0, pipeline.size() - kRetraining.size());
}

Result<pipeline::PipelineSpec> training_pipeline(const Project& project,
                                                 const Submission& submission) {
  pipeline::PipelineSpec spec;
  spec.name = project.name;
  TRY(add_ingestion(spec, project, submission));
  add_assembly(spec, project, submission);
  add_split(spec, project.split, "assemble.dataset");
  if (project.tune.trials > 0) add_tuning(spec, project);
  add_model(spec, project, learning_parameters(project),
            project.tune.trials > 0 ? "tune.parameters" : "");
  if (!project.endpoint.empty()) spec.steps.back().parameters["declared"] = true;
  apply_attempts(spec, project);
  return spec;
}

pipeline::PipelineSpec retraining_pipeline(const Project& project, const Retrain& retrain) {
  pipeline::PipelineSpec spec;
  spec.name = retraining_name(project.name);

  pipeline::StepSpec& collect = add(spec, "collect", "collect");
  collect.inputs["base"] = "artifact:" + retrain.base_artifact_id;
  collect.parameters["name"] = project.name + ".recent";
  collect.parameters["endpoint"] = project.endpoint;
  collect.parameters["from_ms"] = retrain.from_ms;
  collect.parameters["to_ms"] = retrain.to_ms;
  collect.parameters["columns"] = json::to_value(retrain.columns);
  collect.parameters["target"] = project.target;
  collect.parameters["time"] = project.table.time;
  collect.parameters["task"] = train::task_name(retrain.labels.task);
  collect.parameters["classes"] = json::to_value(retrain.labels.classes);
  // What is captured and labelled grows; the same window may hold more the next time.
  collect.cache = false;

  data::SplitRule rule = project.split;
  rule.kind = data::SplitKind::kTime;
  rule.columns = {project.table.time};
  rule.stratify.clear();
  rule.validation_from.clear();
  rule.test_from.clear();
  if (project.retrain && project.retrain->test_ms > 0) {
    rule.test_from = format_utc(retrain.to_ms - project.retrain->test_ms);
  }
  add_split(spec, rule, "collect.dataset");

  json::Value learning = learning_parameters(project);
  learning["columns"] = json::to_value(retrain.columns);
  add_model(
      spec, project, learning,
      retrain.parameters_artifact_id.empty() ? "" : "artifact:" + retrain.parameters_artifact_id);
  apply_attempts(spec, project);
  return spec;
}

}  // namespace ciclo::steps
