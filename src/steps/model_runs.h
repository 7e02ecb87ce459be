// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"
#include "lineage/lineage.h"
#include "pipeline/observer.h"
#include "pipeline/pipeline.h"
#include "tracking/artifacts.h"
#include "tracking/tracking.h"

// The tracking runs of steps that learn. Each execution of train or tune is a run in the experiment
// named after the pipeline, with what the step says as params and metrics; each trial is a run
// below that of its study. What evaluate and gate say of a model goes to the run that trained it.
// Below `evaluation/` of the run lie the files that tell how it was judged: report.json and
// decision.json, trials.json of a study, and validation_TABLE.json of the tables it learned from.
// Safe to share between threads.

namespace ciclo::steps {

inline constexpr const char* kExecutionTag = "ciclo.execution_id";

class ModelRuns final : public pipeline::StepObserver {
 public:
  // All must outlive the observer.
  ModelRuns(tracking::Tracking& tracking, lineage::Lineage& lineage,
            tracking::Artifacts& artifacts);

  // Tells which reports are those of a pipeline run; without (set before the first run) the newest
  // of each table is taken.
  void set_pipelines(pipeline::Pipelines* pipelines) { pipelines_ = pipelines; }

  void started(const pipeline::StepRun& run) override;
  void said(const pipeline::StepRun& run, std::span<const pipeline::StepMessage> messages) override;
  void ended(const pipeline::StepRun& run, pipeline::State state,
             const std::optional<Error>& error) override;
  // Its run, and those of its trials, are killed: MLflow's word for a run that was cut off.
  void discarded(const pipeline::Leftover& leftover) override;

  // The tracking run of the execution that made the artifact; nullopt when it was made elsewhere.
  Result<std::optional<tracking::RunInfo>> run_of_artifact(const Context& context,
                                                           const std::string& artifact_id);

 private:
  Result<tracking::RunId> create(const Context& context, const pipeline::StepRun& run);
  Result<std::optional<tracking::RunInfo>> run_of_execution(const Context& context,
                                                            const std::string& execution_id);
  Result<void> end_cut_off(const Context& context, const tracking::ExperimentId& experiment,
                           const std::string& filter);
  Result<std::optional<tracking::RunId>> target(const Context& context,
                                                const pipeline::StepRun& run);
  Result<void> log(const Context& context, const pipeline::StepRun& run, const tracking::RunId& id,
                   std::span<const pipeline::StepMessage> messages);
  Result<void> log_trial(const Context& context, const pipeline::StepRun& run,
                         const tracking::RunId& study, const json::Value& trial);

  Result<void> keep_evidence(const Context& context, const pipeline::StepRun& run,
                             const tracking::RunId& id);
  Result<std::set<std::string>> executions_of(const Context& context,
                                              const pipeline::PipelineRunId& id);
  Result<void> link_validations(const Context& context, const pipeline::StepRun& run,
                                const tracking::ArtifactPath& directory);

  tracking::Tracking& tracking_;
  lineage::Lineage& lineage_;
  tracking::Artifacts& artifacts_;
  pipeline::Pipelines* pipelines_ = nullptr;
  std::mutex mutex_;
  std::map<std::string, tracking::RunId>
      runs_;  // execution → run, while it runs; guarded by mutex_
};

}  // namespace ciclo::steps
