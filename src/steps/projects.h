// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "blob/columns.h"
#include "data/datasets.h"
#include "pipeline/pipeline.h"
#include "pipeline/triggers.h"
#include "serve/endpoints.h"
#include "sql/database.h"
#include "steps/pipelines_of_project.h"

// The projects of a platform: submits their pipelines, keeps what was submitted last, and builds
// the retraining pipeline when a monitor's alert asks for it. Safe to share between threads.

namespace ciclo::steps {

struct ProjectView {
  std::string name;
  Submission submission;
  std::int64_t retrained_until_ms = 0;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("submission", submission);
    v("retrained_until_ms", retrained_until_ms);
    v("created_ms", created_ms);
    v("updated_ms", updated_ms);
  }
};

class Projects final : public pipeline::PipelineSource {
 public:
  // All must outlive the service.
  Projects(sql::Database& database, Clock& clock, data::DataSets& data_sets,
           pipeline::Pipelines& pipelines, serve::Endpoints& endpoints);

  // Starts the training pipeline, keeps the submission, and puts the project's triggers. An active
  // run of the project goes on if it is of the same submission, and is cancelled otherwise.
  Result<pipeline::Submitted> submit(const Context& context, const Submission& submission,
                                     pipeline::Triggers& triggers);
  // What a submission would do now.
  Result<std::vector<pipeline::PlannedStep>> plan(const Context& context,
                                                  const Submission& submission);

  Result<ProjectView> get(const Context& context, std::string_view name);
  Result<std::vector<ProjectView>> list(const Context& context);

  // Starts retraining on the rows up to `to_ms` of event time, whatever the triggers say.
  Result<pipeline::PipelineRunId> retrain(const Context& context, std::string_view name,
                                          std::int64_t to_ms);

  // pipeline::PipelineSource: the retraining pipeline for an alert. failed_precondition within the
  // project's cool-down, which counts event time.
  Result<pipeline::PipelineSpec> build(const Context& context, const pipeline::TriggerSpec& trigger,
                                       const events::Event* event) override;
  // The cool-down counts from here: a retraining that was not submitted holds up none.
  Result<void> submitted(sql::Txn& txn, const Context& context,
                         const pipeline::TriggerSpec& trigger, const events::Event* event) override;

 private:
  Result<void> keep(const Context& context, const std::string& name, const Submission& submission);
  Result<pipeline::PipelineSpec> retraining(const Context& context, const Project& project,
                                            std::int64_t to_ms);
  Result<std::string> tuned_parameters(const Context& context, const std::string& project);

  sql::Database& database_;
  Clock& clock_;
  data::DataSets& data_sets_;
  pipeline::Pipelines& pipelines_;
  serve::Endpoints& endpoints_;
};

// The module's migrations.
std::span<const sql::Migration> schema();
// Where its tables name blobs.
std::span<const blob::Column> blob_columns();

}  // namespace ciclo::steps
