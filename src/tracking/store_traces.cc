// SPDX-License-Identifier: Apache-2.0
#include "tracking/store_traces.h"

#include <array>
#include <unordered_map>
#include <utility>

#include "tracking/store.h"

namespace ciclo::tracking::store {

namespace {

// What belongs to a trace. spans come after their attributes.
constexpr std::array<std::string_view, 8> kTablesOfTrace = {
    "trace_tags", "trace_metadata",    "span_attributes", "spans",
    "trace_runs", "trace_assessments", "trace_prompts",   "traces"};

constexpr std::array<std::string_view, 6> kTablesWithExperiment = {
    "traces", "trace_tags", "trace_metadata", "span_attributes", "spans", "trace_assessments"};

// The rows of a table that belong to one of the traces in the list.
std::string belongs_to(std::string_view table, const std::string& list) {
  const std::string of_traces = "trace_number IN (" + list + ")";
  if (table != "span_attributes") return of_traces;
  return "span_number IN (SELECT span_number FROM spans WHERE " + of_traces + ")";
}

Result<void> put_pairs(sql::Txn& txn, std::string_view table, const TraceRow& trace,
                       std::span<const Tag> pairs) {
  if (pairs.empty()) return {};
  std::vector<sql::Params> rows;
  for (const auto& pair : pairs) {
    rows.push_back({trace.number, pair.key, pair.value, trace.experiment});
  }
  TRY(txn.execute_many("INSERT INTO " + std::string(table) +
                           " (trace_number, key, value, experiment_id) VALUES ($1, $2, $3, $4)"
                           " ON CONFLICT (trace_number, key) DO UPDATE SET value = excluded.value",
                       rows));
  return {};
}

Result<std::optional<std::string>> value_of(sql::Reader& reader, std::string_view table,
                                            std::int64_t trace, std::string_view key) {
  return reader.query_one(
      "SELECT value FROM " + std::string(table) + " WHERE trace_number = $1 AND key = $2",
      {trace, key}, [](const sql::Row& row) { return row.string(0); });
}

}  // namespace

TraceRow trace_of(const sql::Row& row) {
  TraceRow trace;
  trace.number = row.integer(0);
  trace.experiment = row.integer(1);
  trace.info.experiment_id = ExperimentId(std::to_string(trace.experiment));
  trace.info.trace_id = TraceId(row.string(2));
  trace.info.client_request_id = row.optional_string(3);
  trace.info.state = parse_trace_state(row.text(4)).value_or(TraceState::kUnspecified);
  trace.info.request_ms = row.integer(5);
  trace.info.duration_ms = row.optional_integer(6);
  trace.info.request_preview = row.optional_string(7);
  trace.info.response_preview = row.optional_string(8);
  return trace;
}

Result<std::int64_t> insert_trace(sql::Txn& txn, std::int64_t experiment, const TraceInfo& trace) {
  TRY(const auto number,
      txn.query_one(
          R"(
          INSERT INTO traces (trace_id, experiment_id, client_request_id, state, request_ms,
            duration_ms, request_preview, response_preview)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING trace_number)",
          {trace.trace_id.str(), experiment, sql::param(trace.client_request_id),
           name_of(trace.state), trace.request_ms, sql::param(trace.duration_ms),
           sql::param(trace.request_preview), sql::param(trace.response_preview)},
          [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  return *number;
}

Result<std::optional<TraceRow>> find_trace(sql::Reader& reader, std::string_view workspace,
                                           const TraceId& id) {
  return reader.query_one("SELECT " + std::string(kTraceColumns) +
                              " FROM traces t JOIN experiments e ON e.experiment_id ="
                              " t.experiment_id WHERE t.trace_id = $1 AND e.workspace = $2",
                          {id.str(), workspace}, trace_of);
}

Result<std::vector<TraceRow>> find_traces(sql::Reader& reader, std::string_view workspace,
                                          std::span<const std::string> ids) {
  constexpr std::size_t kChunk = 500;
  std::vector<TraceRow> found;
  for (std::size_t start = 0; start < ids.size(); start += kChunk) {
    Parameters parameters;
    const std::string in_workspace = parameters.add(std::string(workspace));
    std::string list;
    for (const auto& id : ids.subspan(start, std::min(kChunk, ids.size() - start))) {
      list += (list.empty() ? "" : ", ") + parameters.add(id);
    }
    TRY(reader.query("SELECT " + std::string(kTraceColumns) +
                         " FROM traces t JOIN experiments e ON e.experiment_id = t.experiment_id"
                         " WHERE e.workspace = " +
                         in_workspace + " AND t.trace_id IN (" + list + ")",
                     parameters.params(), [&](const sql::Row& row) -> Result<void> {
                       found.push_back(trace_of(row));
                       return {};
                     }));
  }
  return found;
}

Result<bool> has_trace_id(sql::Reader& reader, const TraceId& id) {
  TRY(const auto found, reader.query_one("SELECT 1 FROM traces WHERE trace_id = $1", {id.str()},
                                         [](const sql::Row&) { return true; }));
  return found.has_value();
}

Result<void> update_trace(sql::Txn& txn, const TraceRow& trace) {
  TRY(txn.execute(
      R"(
      UPDATE traces SET client_request_id = $2, state = $3, request_ms = $4, duration_ms = $5,
        request_preview = $6, response_preview = $7
      WHERE trace_number = $1)",
      {trace.number, sql::param(trace.info.client_request_id), name_of(trace.info.state),
       trace.info.request_ms, sql::param(trace.info.duration_ms),
       sql::param(trace.info.request_preview), sql::param(trace.info.response_preview)}));
  return {};
}

Result<void> move_trace(sql::Txn& txn, std::int64_t number, std::int64_t experiment) {
  for (const auto table : kTablesWithExperiment) {
    TRY(txn.execute(
        "UPDATE " + std::string(table) + " SET experiment_id = $2 WHERE " + belongs_to(table, "$1"),
        {number, experiment}));
  }
  return {};
}

Result<void> put_trace_tags(sql::Txn& txn, const TraceRow& trace, std::span<const Tag> tags) {
  return put_pairs(txn, "trace_tags", trace, tags);
}

Result<void> put_trace_metadata(sql::Txn& txn, const TraceRow& trace,
                                std::span<const Tag> metadata) {
  return put_pairs(txn, "trace_metadata", trace, metadata);
}

Result<bool> remove_trace_tag(sql::Txn& txn, std::int64_t trace, std::string_view key) {
  TRY(const std::int64_t removed,
      txn.execute("DELETE FROM trace_tags WHERE trace_number = $1 AND key = $2", {trace, key}));
  return removed > 0;
}

Result<std::optional<std::string>> trace_metadata(sql::Reader& reader, std::int64_t trace,
                                                  std::string_view key) {
  return value_of(reader, "trace_metadata", trace, key);
}

Result<std::optional<std::string>> trace_tag(sql::Reader& reader, std::int64_t trace,
                                             std::string_view key) {
  return value_of(reader, "trace_tags", trace, key);
}

Result<void> load_trace_data(sql::Reader& reader, std::span<const std::int64_t> traces,
                             std::span<TraceInfo> out) {
  std::unordered_map<std::int64_t, TraceInfo*> by_number;
  for (std::size_t i = 0; i < traces.size(); ++i) by_number[traces[i]] = &out[i];
  const auto load = [&](std::string_view table, std::vector<Tag> TraceInfo::*list) {
    return in_chunks(traces, [&](std::span<const std::int64_t> some) {
      Parameters parameters;
      const std::string statement = "SELECT trace_number, key, value FROM " + std::string(table) +
                                    " WHERE trace_number IN (" + placeholders(parameters, some) +
                                    ") ORDER BY trace_number, key";
      return reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
        (by_number[row.integer(0)]->*list).push_back({row.string(1), row.string(2)});
        return {};
      });
    });
  };
  TRY(load("trace_tags", &TraceInfo::tags));
  TRY(load("trace_metadata", &TraceInfo::metadata));
  return load_assessments(reader, traces, out);
}

Result<std::vector<std::int64_t>> traces_until(sql::Reader& reader, std::int64_t experiment,
                                               std::int64_t until_ms, std::int64_t limit) {
  return reader.query_all(R"(
      SELECT t.trace_number FROM traces t WHERE t.experiment_id = $1 AND t.request_ms <= $2
      ORDER BY t.request_ms, t.trace_id LIMIT $3)",
                          {experiment, until_ms, limit},
                          [](const sql::Row& row) { return row.integer(0); });
}

Result<void> delete_traces(sql::Txn& txn, std::span<const std::int64_t> traces) {
  return in_chunks(traces, [&](std::span<const std::int64_t> some) -> Result<void> {
    for (const auto table : kTablesOfTrace) {
      Parameters parameters;
      const std::string list = placeholders(parameters, some);
      TRY(txn.execute("DELETE FROM " + std::string(table) + " WHERE " + belongs_to(table, list),
                      parameters.params()));
    }
    return {};
  });
}

Result<void> link_trace_to_run(sql::Txn& txn, std::int64_t trace, const RunId& run) {
  TRY(
      txn.execute("INSERT INTO trace_runs (trace_number, run_id) VALUES ($1, $2)"
                  " ON CONFLICT (trace_number, run_id) DO NOTHING",
                  {trace, run.str()}));
  return {};
}

Result<void> link_trace_to_prompt(sql::Txn& txn, std::int64_t trace, std::string_view prompt) {
  TRY(
      txn.execute("INSERT INTO trace_prompts (trace_number, prompt) VALUES ($1, $2)"
                  " ON CONFLICT (trace_number, prompt) DO NOTHING",
                  {trace, prompt}));
  return {};
}

}  // namespace ciclo::tracking::store
