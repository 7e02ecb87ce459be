// SPDX-License-Identifier: Apache-2.0
#include "pipeline/store.h"

#include <utility>

#include "base/json_fields.h"

namespace ciclo::pipeline::store {
namespace {

std::string code_of(const std::optional<Error>& error) {
  return error ? std::string(code_name(error->code)) : std::string();
}

std::optional<Error> error_from(std::string_view code, std::string_view message) {
  if (code.empty()) return std::nullopt;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    if (code_name(static_cast<Code>(i)) == code) {
      return Error{static_cast<Code>(i), std::string(message)};
    }
  }
  return Error{Code::kInternal, std::string(message)};
}

std::string dump_parts(const KeyParts& parts) {
  json::Value::Object members;
  for (const auto& [label, value] : parts) members.emplace_back(label, value);
  return json::dump(json::Value(std::move(members)));
}

Result<KeyParts> parse_parts(std::string_view text) {
  TRY(const json::Value value, json::parse(text));
  KeyParts parts;
  if (!value.is_object()) return data_loss("key parts are not an object");
  for (const auto& [label, part] : value.members()) {
    parts.emplace_back(label, part.is_string() ? part.string() : json::dump(part));
  }
  return parts;
}

// A row's own copy of its texts, since parameters are views.
struct StepRow {
  explicit StepRow(const StepState& step)
      : key_parts(dump_parts(step.key_parts)),
        error_code(code_of(step.error)),
        outputs(json::write(step.outputs)) {}
  std::string key_parts;
  std::string error_code;
  std::string outputs;

  sql::Params params(const RunState& run, std::size_t position) const {
    const StepState& step = run.steps[position];
    return {std::string_view(run.id.str()),
            static_cast<std::int64_t>(position),
            state_name(step.state),
            std::int64_t{step.attempts},
            std::int64_t{step.failures},
            std::int64_t{step.interruptions},
            std::string_view(step.execution_id.str()),
            step.not_before_ms,
            std::string_view(step.cache_key),
            std::string_view(key_parts),
            std::string_view(step.why),
            std::string_view(error_code),
            step.error ? std::string_view(step.error->message) : std::string_view(),
            sql::param(step.started_ms),
            sql::param(step.ended_ms),
            std::string_view(outputs)};
  }
};

Result<void> put_steps(sql::Txn& txn, const RunState& run, std::span<const std::size_t> steps) {
  std::vector<StepRow> rows;
  rows.reserve(steps.size());
  std::vector<sql::Params> params;
  for (const std::size_t position : steps) {
    rows.emplace_back(run.steps[position]);
    params.push_back(rows.back().params(run, position));
  }
  TRY(txn.execute_many(R"(
    INSERT INTO pipeline_steps (pipeline_run_id, position, state, attempts, failures, interruptions,
        execution_id, not_before_ms, cache_key, key_parts, why, error_code, error, started_ms, ended_ms,
        outputs)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (pipeline_run_id, position) DO UPDATE SET
        state = excluded.state, attempts = excluded.attempts, failures = excluded.failures,
        interruptions = excluded.interruptions, execution_id = excluded.execution_id,
        not_before_ms = excluded.not_before_ms, cache_key = excluded.cache_key,
        key_parts = excluded.key_parts, why = excluded.why, error_code = excluded.error_code,
        error = excluded.error, started_ms = excluded.started_ms, ended_ms = excluded.ended_ms,
        outputs = excluded.outputs)",
                       params));
  return {};
}

Result<void> load_steps(sql::Reader& reader, RunState& run) {
  return reader.query(
      R"(SELECT position, state, attempts, failures, interruptions, execution_id, not_before_ms,
                cache_key, key_parts, why, error_code, error, started_ms, ended_ms, outputs
         FROM pipeline_steps WHERE pipeline_run_id = $1 ORDER BY position)",
      {std::string_view(run.id.str())}, [&](const sql::Row& row) -> Result<void> {
        StepState step;
        step.state = parse_state(row.text(1)).value_or(State::kPending);
        step.attempts = static_cast<int>(row.integer(2));
        step.failures = static_cast<int>(row.integer(3));
        step.interruptions = static_cast<int>(row.integer(4));
        step.execution_id = ExecutionId(row.string(5));
        step.not_before_ms = row.integer(6);
        step.cache_key = row.string(7);
        TRY(step.key_parts, parse_parts(row.text(8)));
        step.why = row.string(9);
        step.error = error_from(row.text(10), row.text(11));
        step.started_ms = row.optional_integer(12);
        step.ended_ms = row.optional_integer(13);
        TRY(step.outputs, json::read<std::vector<Output>>(row.text(14)));
        run.steps.push_back(std::move(step));
        return {};
      });
}

Result<RunState> read_run(const sql::Row& row) {
  RunState run;
  run.id = PipelineRunId(row.string(0));
  run.workspace = row.string(1);
  run.state = parse_state(row.text(2)).value_or(State::kFailed);
  TRY(PipelineSpec spec, parse_pipeline_spec(row.text(3)));
  TRY(Graph graph, resolve(spec));
  run.spec = std::make_shared<const PipelineSpec>(std::move(spec));
  run.graph = std::make_shared<const Graph>(std::move(graph));
  TRY(run.cause, json::parse(row.text(4)));
  run.error = row.string(5);
  run.cancel_requested = row.boolean(6);
  run.created_ms = row.integer(7);
  run.started_ms = row.optional_integer(8);
  run.ended_ms = row.optional_integer(9);
  run.revision = row.integer(10);
  return run;
}

Result<CacheEntry> read_cache_entry(const sql::Row& row) {
  CacheEntry entry;
  entry.execution_id = ExecutionId(row.string(0));
  entry.key = row.string(1);
  TRY(entry.parts, parse_parts(row.text(2)));
  TRY(entry.outputs, json::read<std::vector<Output>>(row.text(3)));
  return entry;
}

Result<std::optional<CacheEntry>> query_cache_entry(sql::Reader& reader, std::string_view statement,
                                                    const sql::Params& params) {
  std::optional<CacheEntry> found;
  TRY(reader.query(statement, params, [&](const sql::Row& row) -> Result<void> {
    TRY(found, read_cache_entry(row));
    return {};
  }));
  return found;
}

}  // namespace

Result<std::int64_t> take_over(sql::Txn& txn, std::string_view owner, std::int64_t now_ms) {
  TRY(txn.execute(R"(
    INSERT INTO pipeline_engine (id, engine, opened_ms, owner, beat) VALUES (1, 1, $1, $2, 0)
    ON CONFLICT (id) DO UPDATE SET engine = pipeline_engine.engine + 1,
        opened_ms = excluded.opened_ms, owner = excluded.owner, beat = 0)",
                  {now_ms, owner}));
  TRY(const auto engine, txn.query_one("SELECT engine FROM pipeline_engine WHERE id = 1", {},
                                       [](const sql::Row& row) { return row.integer(0); }));
  return engine.value_or(0);
}

Result<void> check_engine(sql::Txn& txn, std::int64_t engine) {
  // An update, so that on PostgreSQL it waits for a take-over that is under way.
  TRY(const std::int64_t changed,
      txn.execute("UPDATE pipeline_engine SET engine = engine WHERE id = 1 AND engine = $1",
                  {engine}));
  if (changed == 1) return {};
  return failed_precondition("another engine has taken over the pipelines of this database");
}

Result<std::optional<EngineRow>> find_engine(sql::Reader& reader) {
  return reader.query_one("SELECT engine, owner, beat FROM pipeline_engine WHERE id = 1", {},
                          [](const sql::Row& row) {
                            return EngineRow{row.integer(0), row.string(1), row.integer(2)};
                          });
}

Result<void> beat(sql::Txn& txn, std::int64_t engine) {
  TRY(const std::int64_t changed,
      txn.execute("UPDATE pipeline_engine SET beat = beat + 1 WHERE id = 1 AND engine = $1",
                  {engine}));
  if (changed == 1) return {};
  return failed_precondition("another engine has taken over the pipelines of this database");
}

Result<void> release(sql::Txn& txn, std::int64_t engine) {
  TRY(txn.execute("UPDATE pipeline_engine SET owner = '' WHERE id = 1 AND engine = $1", {engine}));
  return {};
}

Result<void> insert_run(sql::Txn& txn, const RunState& run) {
  const std::string spec = to_json(*run.spec);
  const std::string cause = json::dump(run.cause);
  TRY(txn.execute(
      R"(INSERT INTO pipeline_runs (pipeline_run_id, workspace, pipeline, state, spec, cause, error,
             cancel_requested, created_ms, started_ms, ended_ms, revision)
         VALUES ($1, $2, $3, $4, $5, $6, '', 0, $7, NULL, NULL, 0))",
      {std::string_view(run.id.str()), std::string_view(run.workspace),
       std::string_view(run.spec->name), state_name(run.state), std::string_view(spec),
       std::string_view(cause), run.created_ms}));
  std::vector<std::size_t> all(run.steps.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return put_steps(txn, run, all);
}

Result<bool> is_recorded(sql::Reader& reader, const RunState& run) {
  TRY(const auto revision,
      reader.query_one("SELECT revision FROM pipeline_runs WHERE pipeline_run_id = $1",
                       {std::string_view(run.id.str())},
                       [](const sql::Row& row) { return row.integer(0); }));
  return revision == run.revision + 1;
}

Result<void> update_run(sql::Txn& txn, const RunState& run, std::span<const std::size_t> steps) {
  TRY(const std::int64_t changed,
      txn.execute(R"(UPDATE pipeline_runs
                     SET state = $1, error = $2, started_ms = $3, ended_ms = $4, revision = $5
                     WHERE pipeline_run_id = $6 AND revision = $7)",
                  {state_name(run.state), std::string_view(run.error), sql::param(run.started_ms),
                   sql::param(run.ended_ms), run.revision + 1, std::string_view(run.id.str()),
                   run.revision}));
  if (changed != 1) {
    return internal("pipeline run " + run.id.str() + " was changed beside its engine");
  }
  return put_steps(txn, run, steps);
}

Result<std::optional<RunState>> load_run(sql::Reader& reader, const PipelineRunId& id) {
  std::optional<RunState> run;
  TRY(reader.query(
      R"(SELECT pipeline_run_id, workspace, state, spec, cause, error, cancel_requested, created_ms,
                started_ms, ended_ms, revision
         FROM pipeline_runs WHERE pipeline_run_id = $1)",
      {std::string_view(id.str())}, [&](const sql::Row& row) -> Result<void> {
        auto read = read_run(row);
        if (!read.ok()) {
          return data_loss("pipeline run " + id.str() + " cannot be read: " + read.error().message);
        }
        run = std::move(read).value();
        return {};
      }));
  if (!run) return run;
  TRY(load_steps(reader, *run));
  if (run->steps.size() != run->spec->steps.size()) {
    return data_loss("pipeline run " + id.str() + " has lost records of its steps");
  }
  return run;
}

Result<void> abandon_run(sql::Txn& txn, const PipelineRunId& id, std::string_view error,
                         std::int64_t now_ms) {
  TRY(txn.execute(R"(UPDATE pipeline_runs
                     SET state = 'failed', error = $1, ended_ms = $2, revision = revision + 1
                     WHERE pipeline_run_id = $3)",
                  {error, now_ms, std::string_view(id.str())}));
  return {};
}

Result<bool> request_cancel(sql::Txn& txn, std::string_view workspace, const PipelineRunId& id) {
  TRY(const std::int64_t changed, txn.execute(R"(UPDATE pipeline_runs SET cancel_requested = 1
                     WHERE pipeline_run_id = $1 AND workspace = $2
                       AND state IN ('pending', 'running'))",
                                              {std::string_view(id.str()), workspace}));
  return changed == 1;
}

Result<void> clear_cancel(sql::Txn& txn, const PipelineRunId& id) {
  TRY(txn.execute("UPDATE pipeline_runs SET cancel_requested = 0 WHERE pipeline_run_id = $1",
                  {std::string_view(id.str())}));
  return {};
}

Result<std::vector<ActiveRun>> active_runs(sql::Reader& reader) {
  return reader.query_all(R"(SELECT pipeline_run_id, cancel_requested FROM pipeline_runs
                             WHERE state IN ('pending', 'running') ORDER BY pipeline_run_id)",
                          {}, [](const sql::Row& row) {
                            return ActiveRun{PipelineRunId(row.string(0)), row.boolean(1)};
                          });
}

Result<std::vector<ActiveSpec>> active_runs_of(sql::Reader& reader, std::string_view workspace,
                                               std::string_view pipeline) {
  return reader.query_all(
      R"(SELECT pipeline_run_id, cancel_requested, spec FROM pipeline_runs
                             WHERE state IN ('pending', 'running') AND workspace = $1
                               AND pipeline = $2
                             ORDER BY pipeline_run_id)",
      {workspace, pipeline}, [](const sql::Row& row) {
        return ActiveSpec{PipelineRunId(row.string(0)), row.boolean(1), row.string(2)};
      });
}

Result<void> insert_execution(sql::Txn& txn, const PipelineRunId& run, std::string_view step,
                              const ExecutionId& execution, int attempt, std::int64_t now_ms) {
  TRY(txn.execute(
      R"(INSERT INTO pipeline_executions (execution_id, pipeline_run_id, step, attempt, state,
             error_code, error, started_ms, log_blob, log_bytes)
         VALUES ($1, $2, $3, $4, 'running', '', '', $5, '', 0))",
      {std::string_view(execution.str()), std::string_view(run.str()), step, std::int64_t{attempt},
       now_ms}));
  return {};
}

Result<void> end_execution(sql::Txn& txn, const ExecutionId& execution, State state,
                           const std::optional<Error>& error, const ExecutionReport& report,
                           std::int64_t now_ms) {
  const std::string code = code_of(error);
  TRY(txn.execute(
      R"(UPDATE pipeline_executions
         SET state = $1, error_code = $2, error = $3, ended_ms = $4, user_cpu_ms = $5,
             system_cpu_ms = $6, rss_bytes_max = $7, log = $8, log_blob = $9, log_bytes = $10
         WHERE execution_id = $11)",
      {state_name(state), std::string_view(code),
       error ? std::string_view(error->message) : std::string_view(), now_ms,
       sql::param(report.user_cpu_ms), sql::param(report.system_cpu_ms),
       sql::param(report.rss_bytes_max), std::as_bytes(std::span(report.log)),
       std::string_view(report.log_blob), report.log_bytes, std::string_view(execution.str())}));
  return {};
}

Result<void> put_cache_entry(sql::Txn& txn, std::string_view workspace, std::string_view pipeline,
                             std::string_view step, const CacheEntry& entry, std::int64_t now_ms) {
  const std::string parts = dump_parts(entry.parts);
  const std::string outputs = json::write(entry.outputs);
  TRY(txn.execute(
      R"(INSERT INTO pipeline_cache (workspace, cache_key, pipeline, step, execution_id, key_parts,
             outputs, used_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (workspace, cache_key) DO UPDATE SET
             pipeline = excluded.pipeline, step = excluded.step,
             execution_id = excluded.execution_id, key_parts = excluded.key_parts,
             outputs = excluded.outputs, used_ms = excluded.used_ms)",
      {workspace, std::string_view(entry.key), pipeline, step,
       std::string_view(entry.execution_id.str()), std::string_view(parts),
       std::string_view(outputs), now_ms}));
  return {};
}

Result<void> touch_cache_entry(sql::Txn& txn, std::string_view workspace, std::string_view key,
                               std::int64_t now_ms) {
  TRY(txn.execute("UPDATE pipeline_cache SET used_ms = $1 WHERE workspace = $2 AND cache_key = $3",
                  {now_ms, workspace, key}));
  return {};
}

Result<std::optional<CacheEntry>> find_cache_entry(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view key) {
  return query_cache_entry(reader,
                           R"(SELECT execution_id, cache_key, key_parts, outputs
                              FROM pipeline_cache WHERE workspace = $1 AND cache_key = $2)",
                           {workspace, key});
}

Result<std::optional<CacheEntry>> last_cache_entry(sql::Reader& reader, std::string_view workspace,
                                                   std::string_view pipeline,
                                                   std::string_view step) {
  return query_cache_entry(reader,
                           R"(SELECT execution_id, cache_key, key_parts, outputs FROM pipeline_cache
                              WHERE workspace = $1 AND pipeline = $2 AND step = $3
                              ORDER BY used_ms DESC, execution_id DESC LIMIT 1)",
                           {workspace, pipeline, step});
}

Result<std::vector<PipelineRunView>> list_runs(sql::Reader& reader, const RunQuery& query) {
  const std::string_view state = query.state ? state_name(*query.state) : std::string_view();
  std::vector<PipelineRunView> runs;
  const auto on_row = [&](const sql::Row& row) -> Result<void> {
    PipelineRunView run;
    run.pipeline_run_id = row.string(0);
    run.workspace = row.string(1);
    run.pipeline = row.string(2);
    run.state = parse_state(row.text(3)).value_or(State::kFailed);
    run.error = row.string(4);
    TRY(run.cause, json::parse(row.text(5)));
    run.cancel_requested = row.boolean(6);
    run.created_ms = row.integer(7);
    run.started_ms = row.optional_integer(8);
    run.ended_ms = row.optional_integer(9);
    runs.push_back(std::move(run));
    return {};
  };
  std::string statement = R"(SELECT pipeline_run_id, workspace, pipeline, state, error, cause,
                                    cancel_requested, created_ms, started_ms, ended_ms
                             FROM pipeline_runs
                             WHERE workspace = $1 AND ($2 = '' OR state = $2))";
  sql::Params params = {query.workspace, state};
  const auto add = [&](std::string_view clause, const sql::Param& value) {
    params.push_back(value);
    statement += std::string(clause) + std::to_string(params.size());
  };
  if (!query.pipeline.empty()) add(" AND pipeline = $", query.pipeline);
  if (!query.before.empty()) add(" AND pipeline_run_id < $", query.before);
  add(" ORDER BY pipeline_run_id DESC LIMIT $", std::int64_t{query.limit});
  TRY(reader.query(statement, params, on_row));
  return runs;
}

Result<std::vector<ExecutionView>> list_executions(sql::Reader& reader, const PipelineRunId& run) {
  return reader.query_all(
      R"(SELECT execution_id, pipeline_run_id, step, attempt, state, error_code, error, started_ms,
                ended_ms, user_cpu_ms, system_cpu_ms, rss_bytes_max, log_bytes
         FROM pipeline_executions WHERE pipeline_run_id = $1 ORDER BY execution_id)",
      {std::string_view(run.str())}, [](const sql::Row& row) {
        ExecutionView execution;
        execution.execution_id = row.string(0);
        execution.pipeline_run_id = row.string(1);
        execution.step = row.string(2);
        execution.attempt = static_cast<int>(row.integer(3));
        execution.state = parse_state(row.text(4)).value_or(State::kFailed);
        execution.error_code = row.string(5);
        execution.error = row.string(6);
        execution.started_ms = row.integer(7);
        execution.ended_ms = row.optional_integer(8);
        execution.user_cpu_ms = row.optional_integer(9);
        execution.system_cpu_ms = row.optional_integer(10);
        execution.rss_bytes_max = row.optional_integer(11);
        execution.log_bytes = row.integer(12);
        return execution;
      });
}

Result<std::optional<StoredLog>> find_log(sql::Reader& reader, const ExecutionId& execution) {
  return reader.query_one(
      R"(SELECT e.pipeline_run_id, r.workspace, e.state, e.log, e.log_blob
         FROM pipeline_executions e JOIN pipeline_runs r ON r.pipeline_run_id = e.pipeline_run_id
         WHERE e.execution_id = $1)",
      {std::string_view(execution.str())}, [](const sql::Row& row) {
        StoredLog log;
        log.run = PipelineRunId(row.string(0));
        log.workspace = row.string(1);
        log.state = parse_state(row.text(2)).value_or(State::kFailed);
        const std::span<const std::byte> bytes = row.blob(3);
        for (const std::byte byte : bytes) log.text.push_back(static_cast<char>(byte));
        log.blob = row.string(4);
        return log;
      });
}

}  // namespace ciclo::pipeline::store
