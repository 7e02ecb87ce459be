// SPDX-License-Identifier: Apache-2.0
#include "pipeline/pipeline.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/text.h"
#include "pipeline/cache.h"
#include "pipeline/scheduler.h"
#include "pipeline/step_runner.h"
#include "pipeline/store.h"
#include "sql/dialect.h"
#include "sql/once.h"

namespace ciclo::pipeline {
namespace {

constexpr int kPageMax = 1'000;

Error no_such_run(const PipelineRunId& run) {
  return not_found("there is no pipeline run " + quoted(run.str()));
}

StepView view_of(const RunState& run, std::size_t i) {
  const StepState& step = run.steps[i];
  StepView view;
  view.name = run.spec->steps[i].name;
  view.kind = run.spec->steps[i].kind;
  view.state = step.state;
  view.why = step.why;
  if (step.error) {
    view.error_code = code_name(step.error->code);
    view.error = step.error->message;
  }
  view.attempts = step.attempts;
  view.execution_id = step.execution_id.str();
  view.started_ms = step.started_ms;
  view.ended_ms = step.ended_ms;
  view.outputs = step.outputs;
  for (const std::size_t before : run.graph->nodes[i].needs) {
    view.needs.push_back(run.spec->steps[before].name);
  }
  return view;
}

PipelineRunView view_of(const RunState& run) {
  PipelineRunView view;
  view.pipeline_run_id = run.id.str();
  view.workspace = run.workspace;
  view.pipeline = run.spec->name;
  view.state = run.state;
  view.error = run.error;
  view.cause = run.cause;
  view.cancel_requested = run.cancel_requested;
  view.created_ms = run.created_ms;
  view.started_ms = run.started_ms;
  view.ended_ms = run.ended_ms;
  for (std::size_t i = 0; i < run.steps.size(); ++i) view.steps.push_back(view_of(run, i));
  return view;
}

// Everything that is not done starts again from nothing.
std::vector<std::size_t> reset(RunState& run) {
  std::vector<std::size_t> changed;
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    if (is_done(run.steps[i].state)) continue;
    const int attempts = run.steps[i].attempts;
    run.steps[i] = StepState();
    run.steps[i].attempts = attempts;
    run.steps[i].why = "the run was retried";
    changed.push_back(i);
  }
  run.state = State::kPending;
  run.error.clear();
  run.ended_ms.reset();
  return changed;
}

// A step that needs another which is not cached: only that one's result can tell more.
bool depends_on_unknown(const std::vector<std::size_t>& needs,
                        const std::vector<PlannedStep>& planned, PlannedStep& step) {
  for (const std::size_t before : needs) {
    if (planned[before].cached) continue;
    step.skipped = planned[before].skipped;
    step.why = "comes after step " + quoted(planned[before].name) + ", which " +
               (step.skipped ? "is skipped" : "runs");
    return true;
  }
  return false;
}

Result<std::string> read_part(const std::filesystem::path& path, std::uint64_t offset,
                              std::uint64_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  std::string text(bytes_max, '\0');
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(text.data(), static_cast<std::streamsize>(bytes_max));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  return text;
}

}  // namespace

Pipelines::Pipelines(sql::Database& database, events::Log& events, blob::Store& blobs,
                     lineage::Lineage& lineage, StepCatalog& catalog, Engine& engine, Clock& clock,
                     IdSource& ids, std::string work)
    : database_(database),
      events_(events),
      blobs_(blobs),
      lineage_(lineage),
      catalog_(catalog),
      engine_(engine),
      clock_(clock),
      ids_(ids),
      work_(std::move(work)) {}

Result<PipelineRunId> Pipelines::submit(const Context& context, const PipelineSpec& spec,
                                        const json::Value& cause) {
  TRY(PipelineRunId run, sql::once(database_, context, [&](sql::Txn& txn) -> Result<PipelineRunId> {
        return submit(txn, context, spec, cause);
      }));
  events_.wake();
  engine_.wake();
  return run;
}

Result<PipelineRunId> Pipelines::submit(sql::Txn& txn, const Context& context,
                                        const PipelineSpec& spec, const json::Value& cause) {
  TRY(resolve(spec, &catalog_));
  RunState run;
  run.id = ids_.next_id<PipelineRunId>();
  run.workspace = context.workspace;
  run.spec = std::make_shared<const PipelineSpec>(spec);
  run.cause = cause;
  run.created_ms = clock_.now_ms();
  run.steps.resize(spec.steps.size());
  TRY(store::insert_run(txn, run));
  TRY(events_.append(
      txn, context.workspace, "pipeline.run_submitted", spec.name,
      json::Value::object(
          {{"pipeline_run_id", run.id.str()}, {"pipeline", spec.name}, {"cause", cause}})));
  return run.id;
}

Result<Submitted> Pipelines::submit_newest(const Context& context, const PipelineSpec& spec,
                                           const json::Value& cause) {
  const std::string text = to_json(spec);
  auto submitted = sql::once(database_, context, [&](sql::Txn& txn) -> Result<Submitted> {
    // Two submissions at once must see each other.
    TRY(sql::serialize(txn, "pipeline_submissions"));
    Submitted out;
    TRY(const auto active, store::active_runs_of(txn, context.workspace, spec.name));
    for (const store::ActiveSpec& run : active) {
      if (run.cancel_requested) continue;
      if (run.spec == text && !out.joined) {
        out.pipeline_run_id = run.id;
        out.joined = true;
        continue;
      }
      TRY(store::request_cancel(txn, context.workspace, run.id));
      out.superseded.push_back(run.id);
    }
    if (out.joined) return out;
    TRY(out.pipeline_run_id, submit(txn, context, spec, cause));
    return out;
  });
  if (!submitted.ok()) return submitted;
  events_.wake();
  engine_.wake();
  return submitted;
}

Result<PipelineRunView> Pipelines::get(const Context& context, const PipelineRunId& id) {
  TRY(const auto run,
      database_.view([&](sql::Reader& reader) { return store::load_run(reader, id); }));
  if (!run || run->workspace != context.workspace) return no_such_run(id);
  PipelineRunView view = view_of(*run);
  for (StepView& step : view.steps) {
    if (step.state == State::kRunning)
      step.progress = engine_.progress(ExecutionId(step.execution_id));
  }
  return view;
}

Result<PipelineRunPage> Pipelines::list(const Context& context, const PipelineRunFilter& filter,
                                        int limit, std::string_view page) {
  if (limit < 1 || limit > kPageMax) {
    return invalid_argument("limit must be from 1 to " + std::to_string(kPageMax) + ", got " +
                            std::to_string(limit));
  }
  PipelineRunPage out;
  TRY(out.runs, database_.view([&](sql::Reader& reader) {
    return store::list_runs(reader, {.workspace = context.workspace,
                                     .pipeline = filter.pipeline,
                                     .state = filter.state,
                                     .before = page,
                                     .limit = limit + 1});
  }));
  if (out.runs.size() > static_cast<std::size_t>(limit)) {
    out.runs.pop_back();
    out.next_page = out.runs.back().pipeline_run_id;
  }
  return out;
}

Result<std::vector<ExecutionView>> Pipelines::executions(const Context& context,
                                                         const PipelineRunId& id) {
  TRY(get(context, id));
  return database_.view([&](sql::Reader& reader) { return store::list_executions(reader, id); });
}

Result<PipelineSpec> Pipelines::spec(const Context& context, const PipelineRunId& id) {
  TRY(const auto run,
      database_.view([&](sql::Reader& reader) { return store::load_run(reader, id); }));
  if (!run || run->workspace != context.workspace) return no_such_run(id);
  return *run->spec;
}

Result<void> Pipelines::cancel(const Context& context, const PipelineRunId& id) {
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const bool requested, store::request_cancel(txn, context.workspace, id));
    if (requested) return {};
    TRY(const auto run, store::load_run(txn, id));
    if (!run || run->workspace != context.workspace) return no_such_run(id);
    return failed_precondition("pipeline run " + id.str() + " has ended already (" +
                               std::string(state_name(run->state)) + ")");
  }));
  engine_.wake();
  return {};
}

Result<void> Pipelines::retry(const Context& context, const PipelineRunId& id) {
  TRY(sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(auto run, store::load_run(txn, id));
    if (!run || run->workspace != context.workspace) return no_such_run(id);
    if (run->state != State::kFailed && run->state != State::kCancelled) {
      return failed_precondition("only a run that failed or was cancelled can be retried; " +
                                 id.str() + " is " + std::string(state_name(run->state)));
    }
    const std::vector<std::size_t> changed = reset(*run);
    TRY(store::clear_cancel(txn, id));
    TRY(store::update_run(txn, *run, changed));
    return events_.append(
        txn, context.workspace, "pipeline.run_retried", run->spec->name,
        json::Value::object({{"pipeline_run_id", id.str()}, {"pipeline", run->spec->name}}));
  }));
  events_.wake();
  engine_.wake();
  return {};
}

Result<std::vector<PlannedStep>> Pipelines::plan(const Context& context, const PipelineSpec& spec) {
  TRY(Graph graph, resolve(spec, &catalog_));
  RunState run;
  run.spec = std::make_shared<const PipelineSpec>(spec);
  run.graph = std::make_shared<const Graph>(std::move(graph));
  run.steps.resize(spec.steps.size());
  std::vector<PlannedStep> planned(spec.steps.size());
  for (const std::size_t i : run.graph->order) {
    planned[i].name = spec.steps[i].name;
    planned[i].kind = spec.steps[i].kind;
    if (depends_on_unknown(run.graph->nodes[i].needs, planned, planned[i])) continue;
    if (const auto unmet = unmet_condition(run, i)) {
      planned[i].skipped = true;
      planned[i].why = *unmet;
      continue;
    }
    TRY(auto inputs, inputs_of(run, i));
    TRY(Resolution resolution, resolve_step(context, database_, lineage_, catalog_, spec.name,
                                            spec.steps[i], std::move(inputs)));
    planned[i].cached = resolution.execution_id.has_value();
    planned[i].why = std::move(resolution.why);
    run.steps[i].outputs = std::move(resolution.outputs);
  }
  return planned;
}

Result<std::string> Pipelines::log(const Context& context, const ExecutionId& execution,
                                   std::uint64_t offset, std::uint64_t bytes_max) {
  TRY(const auto stored,
      database_.view([&](sql::Reader& reader) { return store::find_log(reader, execution); }));
  if (!stored || stored->workspace != context.workspace) {
    return not_found("there is no execution " + quoted(execution.str()));
  }
  if (stored->state == State::kRunning) {
    return read_part(live_log_path(work_, execution), offset, bytes_max);
  }
  if (stored->blob.empty()) {
    return stored->text.substr(std::min<std::uint64_t>(offset, stored->text.size()), bytes_max);
  }
  std::string text;
  TRY(blobs_.read(stored->blob, offset, bytes_max, [&](std::string_view piece) -> Result<void> {
    text += piece;
    return {};
  }));
  return text;
}

std::span<const blob::Column> blob_columns() {
  // A key part may be the hash of a source file; it tells what changed, and needs no bytes.
  static constexpr blob::Column kColumns[] = {{"pipeline_runs", "spec"},
                                              {"pipeline_steps", "outputs"},
                                              {"pipeline_executions", "log_blob"},
                                              {"pipeline_cache", "outputs"},
                                              {"triggers", "spec"}};
  return kColumns;
}

}  // namespace ciclo::pipeline
