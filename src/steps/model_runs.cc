// SPDX-License-Identifier: Apache-2.0
#include "steps/model_runs.h"

#include <filesystem>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "pipeline/runner.h"
#include "steps/pipelines_of_project.h"

namespace ciclo::steps {
namespace {

constexpr std::string_view kTrialPrefix = "trial_";

bool learns(std::string_view kind) { return kind == "train" || kind == "tune"; }
bool judges(std::string_view kind) { return kind == "evaluate" || kind == "gate"; }

Context context_of(const pipeline::StepRun& run) {
  Context context;
  context.workspace = run.workspace;
  context.caller = "pipeline";
  context.request_id = run.execution_id.str();
  return context;
}

std::string text_of(const json::Value& value) {
  return value.is_string() ? value.string() : json::dump(value);
}

void warn(const pipeline::StepRun& run, const Error& error) {
  log::warn(
      "what a step says was not logged",
      {{"step", run.spec.name}, {"execution", run.execution_id.str()}, {"error", error.message}});
}

}  // namespace

ModelRuns::ModelRuns(tracking::Tracking& tracking, lineage::Lineage& lineage,
                     tracking::Artifacts& artifacts)
    : tracking_(tracking), lineage_(lineage), artifacts_(artifacts) {}

Result<tracking::RunId> ModelRuns::create(const Context& context, const pipeline::StepRun& run) {
  TRY(const tracking::ExperimentId experiment,
      tracking_.ensure_experiment(context, experiment_of(run.pipeline)));
  tracking::NewRun request;
  request.experiment_id = experiment;
  request.user_id = context.caller;
  request.tags = {{kExecutionTag, run.execution_id.str()},
                  {"ciclo.pipeline_run_id", run.pipeline_run_id.str()},
                  {"ciclo.step", run.spec.name}};
  TRY(const tracking::Run made, tracking_.create_run(context, request));
  return made.info.run_id;
}

void ModelRuns::started(const pipeline::StepRun& run) {
  if (!learns(run.spec.kind)) return;
  auto id = create(context_of(run), run);
  if (!id.ok()) return warn(run, id.error());
  std::lock_guard lock(mutex_);
  runs_[run.execution_id.str()] = *id;
}

Result<std::optional<tracking::RunInfo>> ModelRuns::run_of_execution(
    const Context& context, const std::string& execution_id) {
  tracking::RunSearch search;
  TRY(const lineage::Execution execution,
      lineage_.execution(context, lineage::ExecutionId(execution_id)));
  const std::string pipeline = execution.properties.string_or("pipeline", "");
  auto experiment = tracking_.experiment_by_name(context, experiment_of(pipeline));
  if (!experiment.ok()) return std::optional<tracking::RunInfo>();
  search.experiment_ids = {experiment->experiment_id};
  search.filter = "tags.`" + std::string(kExecutionTag) + "` = '" + execution_id + "'";
  search.max_results = 1;
  TRY(const auto page, tracking_.search_runs(context, search));
  if (page.items.empty()) return std::optional<tracking::RunInfo>();
  return std::optional(page.items.front().info);
}

Result<std::optional<tracking::RunInfo>> ModelRuns::run_of_artifact(
    const Context& context, const std::string& artifact_id) {
  auto producer = lineage_.producer(context, lineage::ArtifactId(artifact_id));
  if (!producer.ok()) {
    if (producer.error().code == Code::kNotFound) return std::optional<tracking::RunInfo>();
    return producer.error();
  }
  return run_of_execution(context, producer->execution_id.str());
}

Result<std::optional<tracking::RunId>> ModelRuns::target(const Context& context,
                                                         const pipeline::StepRun& run) {
  if (learns(run.spec.kind)) {
    std::lock_guard lock(mutex_);
    const auto found = runs_.find(run.execution_id.str());
    if (found == runs_.end()) return std::optional<tracking::RunId>();
    return std::optional(found->second);
  }
  const pipeline::InputArtifact* model = judges(run.spec.kind) ? run.input("model") : nullptr;
  if (model == nullptr) return std::optional<tracking::RunId>();
  TRY(const auto info, run_of_artifact(context, model->artifact_id));
  if (!info) return std::optional<tracking::RunId>();
  return std::optional(info->run_id);
}

void ModelRuns::said(const pipeline::StepRun& run,
                     std::span<const pipeline::StepMessage> messages) {
  if (!learns(run.spec.kind) && !judges(run.spec.kind)) return;
  const Context context = context_of(run);
  auto id = target(context, run);
  if (!id.ok()) return warn(run, id.error());
  if (!*id) return;
  if (auto logged = log(context, run, **id, messages); !logged.ok()) warn(run, logged.error());
}

Result<void> ModelRuns::log(const Context& context, const pipeline::StepRun& run,
                            const tracking::RunId& id,
                            std::span<const pipeline::StepMessage> messages) {
  using Kind = pipeline::StepMessage::Kind;
  std::vector<tracking::Metric> metrics;
  std::vector<tracking::Param> params;
  std::vector<tracking::Tag> tags;
  for (const pipeline::StepMessage& message : messages) {
    if (message.kind == Kind::kMetric) {
      metrics.push_back(
          {message.key, message.number, message.time_ms.value_or(0), message.step, {}, {}, {}});
    } else if (message.kind == Kind::kParam) {
      params.push_back({message.key, message.text});
    } else if (message.kind == Kind::kTag) {
      tags.push_back({message.key, message.text});
    } else if (message.kind == Kind::kProperty && message.key.starts_with(kTrialPrefix)) {
      TRY(log_trial(context, run, id, message.value));
    }
  }
  if (!metrics.empty()) TRY(tracking_.log_metrics(context, id, metrics));
  if (!params.empty()) TRY(tracking_.log_params(context, id, params));
  if (!tags.empty()) TRY(tracking_.set_tags(context, id, tags));
  return {};
}

Result<void> ModelRuns::log_trial(const Context& context, const pipeline::StepRun& run,
                                  const tracking::RunId& study, const json::Value& trial) {
  TRY(const tracking::RunInfo parent, tracking_.run_info(context, study));
  tracking::NewRun request;
  request.experiment_id = parent.experiment_id;
  request.name = "trial-" + std::to_string(trial.integer_or("trial", 0));
  request.user_id = context.caller;
  request.tags = {{"mlflow.parentRunId", study.str()},
                  {"ciclo.pipeline_run_id", run.pipeline_run_id.str()}};
  TRY(const tracking::Run made, tracking_.create_run(context, request));
  std::vector<tracking::Param> params;
  if (const json::Value* chosen = trial.find("parameters");
      chosen != nullptr && chosen->is_object()) {
    for (const auto& [key, value] : chosen->members()) params.push_back({key, text_of(value)});
  }
  TRY(tracking_.log_params(context, made.info.run_id, params));
  if (const json::Value* value = trial.find("value"); value != nullptr && value->is_number()) {
    const tracking::Metric metric{
        trial.string_or("metric", "metric"), value->number(), made.info.start_ms, 0, {}, {}, {}};
    TRY(tracking_.log_metrics(context, made.info.run_id, std::span(&metric, 1)));
  }
  tracking::RunUpdate update;
  update.status = tracking::RunStatus::kFinished;
  TRY(tracking_.update_run(context, made.info.run_id, update));
  return {};
}

namespace {

// The output port and file of a step that tell how a model was judged; empty for other steps.
std::pair<std::string, std::string> evidence_of(std::string_view kind) {
  if (kind == "evaluate") return {"report", "report.json"};
  if (kind == "gate") return {"decision", "decision.json"};
  if (kind == "tune") return {"parameters", "trials.json"};
  return {};
}

}  // namespace

Result<void> ModelRuns::keep_evidence(const Context& context, const pipeline::StepRun& run,
                                      const tracking::RunId& id) {
  TRY(const tracking::RunInfo info, tracking_.run_info(context, id));
  TRY(const auto directory, tracking::ArtifactPath::from_uri(info.artifact_uri + "/evaluation"));
  if (run.spec.kind == "train") return link_validations(context, run, directory);
  const auto [port, name] = evidence_of(run.spec.kind);
  if (name.empty()) return {};
  TRY(const auto file, tracking::ArtifactPath::parse(name));
  const auto from = std::filesystem::path(run.output(port)) / name;
  TRY(artifacts_.put(context, directory / file, [&](blob::Writer& writer) {
    return read_file_in_pieces(from, [&](std::string_view piece) { return writer.write(piece); });
  }));
  return {};
}

// By which the steps of the pipeline run stand: its own, and those that cached ones were taken
// from.
Result<std::set<std::string>> ModelRuns::executions_of(const Context& context,
                                                       const pipeline::PipelineRunId& id) {
  std::set<std::string> ids;
  if (pipelines_ == nullptr) return ids;
  TRY(const pipeline::PipelineRunView view, pipelines_->get(context, id));
  for (const auto& step : view.steps) ids.insert(step.execution_id);
  return ids;
}

// The reports on the tables that the training rows came from, one a table: the table may have been
// validated against several schemas, and the one that counts is that of this pipeline run. A
// retraining validates nothing; of the tables below its rows the newest report stands.
Result<void> ModelRuns::link_validations(const Context& context, const pipeline::StepRun& run,
                                         const tracking::ArtifactPath& directory) {
  const pipeline::InputArtifact* rows = run.input("train");
  if (rows == nullptr) return {};
  TRY(const lineage::Graph origin,
      lineage_.upstream(context, lineage::ArtifactId(rows->artifact_id),
                        lineage::Limits().depth_max));
  TRY(const std::set<std::string> own, executions_of(context, run.pipeline_run_id));
  std::map<std::string, tracking::ArtifactLink> links;  // by table
  const auto add = [&](const lineage::Execution& execution) -> Result<void> {
    const json::Value* parameters = execution.properties.find("parameters");
    const std::string table = parameters == nullptr ? "" : parameters->string_or("table", "");
    const bool is_own = own.contains(execution.execution_id.str());
    if (links.contains(table) && !is_own) return {};
    TRY(const lineage::Tree tree, lineage_.tree(context, execution.outputs.front().artifact_id));
    const lineage::File* file = tree.find("validation.json");
    if (file == nullptr) return {};
    TRY(const auto name, tracking::ArtifactPath::parse("validation_" + table + ".json"));
    links.insert_or_assign(table, tracking::ArtifactLink{directory / name, file->hash, file->size});
    return {};
  };
  for (const auto& artifact : origin.artifacts) {
    if (artifact.type != "dataset") continue;
    TRY(const lineage::Graph uses, lineage_.downstream(context, artifact.artifact_id, 1));
    for (const auto& execution : uses.executions) {
      if (execution.kind != "validate" || execution.outputs.empty()) continue;
      TRY(add(execution));
    }
  }
  std::vector<tracking::ArtifactLink> chosen;
  for (const auto& [table, link] : links) chosen.push_back(link);
  return artifacts_.link(context, chosen);
}

void ModelRuns::ended(const pipeline::StepRun& run, pipeline::State state,
                      const std::optional<Error>& error) {
  const Context context = context_of(run);
  if (state == pipeline::State::kSucceeded && (learns(run.spec.kind) || judges(run.spec.kind))) {
    auto of = target(context, run);
    Result<void> kept = of.ok() ? Result<void>() : Result<void>(of.error());
    if (of.ok() && *of) kept = keep_evidence(context, run, **of);
    if (!kept.ok()) warn(run, kept.error());
  }
  if (!learns(run.spec.kind)) return;
  std::optional<tracking::RunId> id;
  {
    std::lock_guard lock(mutex_);
    const auto found = runs_.find(run.execution_id.str());
    if (found == runs_.end()) return;
    id = found->second;
    runs_.erase(found);
  }
  if (error) {
    const tracking::Tag tag{"ciclo.error", error->message};
    if (auto set = tracking_.set_tags(context, *id, std::span(&tag, 1)); !set.ok())
      warn(run, set.error());
  }
  tracking::RunUpdate update;
  update.status = state == pipeline::State::kSucceeded   ? tracking::RunStatus::kFinished
                  : state == pipeline::State::kCancelled ? tracking::RunStatus::kKilled
                                                         : tracking::RunStatus::kFailed;
  if (auto updated = tracking_.update_run(context, *id, update); !updated.ok()) {
    warn(run, updated.error());
  }
}

void ModelRuns::discarded(const pipeline::Leftover& leftover) {
  if (!learns(leftover.kind)) return;
  Context context;
  context.workspace = leftover.workspace;
  context.caller = "pipeline";
  context.request_id = leftover.execution_id.str();
  const auto experiment = tracking_.experiment_by_name(context, experiment_of(leftover.pipeline));
  if (!experiment.ok() && experiment.error().code == Code::kNotFound) return;
  const auto ended = experiment.ok() ? end_cut_off(context, experiment->experiment_id,
                                                   "tags.`" + std::string(kExecutionTag) + "` = '" +
                                                       leftover.execution_id.str() + "'")
                                     : Result<void>(experiment.error());
  if (ended.ok()) return;
  log::warn("a run that was cut off still shows as running",
            {{"execution", leftover.execution_id.str()}, {"error", ended.error().message}});
}

// Those that the filter finds and that still run, each after the runs below it: where a crash cuts
// this off too, the next start finds the parent again.
Result<void> ModelRuns::end_cut_off(const Context& context,
                                    const tracking::ExperimentId& experiment,
                                    const std::string& filter) {
  tracking::RunSearch search;
  search.experiment_ids = {experiment};
  search.filter = filter + " AND attributes.status = 'RUNNING'";
  TRY(const auto page, tracking_.search_runs(context, search));
  for (const auto& run : page.items) {
    const tracking::RunId& id = run.info.run_id;
    TRY(end_cut_off(context, experiment, "tags.`mlflow.parentRunId` = '" + id.str() + "'"));
    const tracking::Tag why{"ciclo.error", "the platform stopped while the step ran"};
    TRY(tracking_.set_tags(context, id, std::span(&why, 1)));
    tracking::RunUpdate update;
    update.status = tracking::RunStatus::kKilled;
    TRY(tracking_.update_run(context, id, update));
  }
  return {};
}

}  // namespace ciclo::steps
