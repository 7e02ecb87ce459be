// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/json.h"
#include "base/result.h"
#include "blob/columns.h"
#include "blob/store.h"
#include "events/log.h"
#include "lineage/lineage.h"
#include "pipeline/catalog.h"
#include "pipeline/engine.h"
#include "pipeline/spec.h"
#include "pipeline/types.h"
#include "sql/database.h"

// The service of pipelines: start, watch, cancel and retry runs of them. Runs of one pipeline go
// one after another, oldest first. Calls only write what is wished into the database and rouse the
// engine, which does the work. Safe to share between threads.
//
// Events: pipeline.run_submitted, pipeline.run_started, pipeline.step_started,
// pipeline.step_finished, pipeline.run_finished; subject is the pipeline's name (steps: the run's
// id).

namespace ciclo::pipeline {

struct PipelineRunPage {
  std::vector<PipelineRunView> runs;  // newest first, without steps
  std::string next_page;              // empty: this was the last
};

struct PipelineRunFilter {
  std::string pipeline;        // empty: all
  std::optional<State> state;  // nothing: all
};

// What a submission led to.
struct Submitted {
  PipelineRunId pipeline_run_id;
  bool joined = false;                    // a run of the same spec was active: it is that one
  std::vector<PipelineRunId> superseded;  // active runs of another spec, which were cancelled

  template <class V>
  void fields(V& v) {
    v("pipeline_run_id", pipeline_run_id);
    v("joined", joined);
    v("superseded", superseded);
  }
};

class Pipelines {
 public:
  // All must outlive the service. `work` is the directory of scratch directories, as given to
  // StepRunner.
  Pipelines(sql::Database& database, events::Log& events, blob::Store& blobs,
            lineage::Lineage& lineage, StepCatalog& catalog, Engine& engine, Clock& clock,
            IdSource& ids, std::string work);

  // Records a run of the pipeline, which starts at once. `cause` tells who or what started it, for
  // people and for steps: {"kind":"user"}, {"kind":"trigger","trigger":"retrain","event":{…}}.
  // invalid_argument as resolve() says.
  Result<PipelineRunId> submit(const Context& context, const PipelineSpec& spec,
                               const json::Value& cause = json::Value::object());
  // The same within the caller's transaction; call `engine.wake()` after its commit.
  Result<PipelineRunId> submit(sql::Txn& txn, const Context& context, const PipelineSpec& spec,
                               const json::Value& cause);

  // For pipelines whose newest spec alone counts: joins the active run of this very spec, if there
  // is one; otherwise cancels the active runs of the pipeline and submits a new one, which begins
  // when they have ended.
  Result<Submitted> submit_newest(const Context& context, const PipelineSpec& spec,
                                  const json::Value& cause = json::Value::object());

  Result<PipelineRunView> get(const Context& context, const PipelineRunId& run);
  // At most `limit` runs; `page` as given by the page before.
  Result<PipelineRunPage> list(const Context& context, const PipelineRunFilter& filter, int limit,
                               std::string_view page = {});
  // Attempts at the steps of a run, oldest first.
  Result<std::vector<ExecutionView>> executions(const Context& context, const PipelineRunId& run);
  Result<PipelineSpec> spec(const Context& context, const PipelineRunId& run);

  // Returns once the wish is recorded; the end of the run shows in `get`. failed_precondition when
  // the run has ended.
  Result<void> cancel(const Context& context, const PipelineRunId& run);
  // Continues a run that failed or was cancelled: done steps stay, all others start again.
  Result<void> retry(const Context& context, const PipelineRunId& run);

  // What a run would do now: which steps are cached, and why others would run.
  Result<std::vector<PlannedStep>> plan(const Context& context, const PipelineSpec& spec);

  // The log of an execution from `offset` on, at most `bytes_max`; grows while it runs.
  Result<std::string> log(const Context& context, const ExecutionId& execution,
                          std::uint64_t offset = 0, std::uint64_t bytes_max = 1 << 20);

 private:
  sql::Database& database_;
  events::Log& events_;
  blob::Store& blobs_;
  lineage::Lineage& lineage_;
  StepCatalog& catalog_;
  Engine& engine_;
  Clock& clock_;
  IdSource& ids_;
  const std::string work_;
};

// The module's migrations.
std::span<const sql::Migration> schema();
// Where its tables name blobs.
std::span<const blob::Column> blob_columns();

}  // namespace ciclo::pipeline
