// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "tracking/limits.h"
#include "tracking/span_text.h"
#include "tracking/store.h"
#include "tracking/store_traces.h"
#include "tracking/trace_limits.h"

namespace ciclo::tracking::store {

namespace {

constexpr std::string_view kTypeKey = "mlflow.spanType";

std::string type_of(const Span& span) {
  const json::Value* type = span.attributes.find(kTypeKey);
  return type == nullptr ? "UNKNOWN" : attribute_text(*type);
}

Result<std::int64_t> put_span(sql::Txn& txn, const TraceRow& trace, const SpanRow& span) {
  TRY(const auto number,
      txn.query_one(
          R"(
          INSERT INTO spans (trace_number, span_id, experiment_id, parent_span_id, name, type,
            status, start_ns, end_ns, content)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
          ON CONFLICT (trace_number, span_id) DO UPDATE SET parent_span_id = excluded.parent_span_id,
            name = excluded.name, type = excluded.type, status = excluded.status,
            start_ns = excluded.start_ns, end_ns = excluded.end_ns, content = excluded.content
          RETURNING span_number)",
          {trace.number, span.span_id, trace.experiment, sql::param(span.parent_span_id), span.name,
           span.type, name_of(span.status), span.start_ns, sql::param(span.end_ns), span.content},
          [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  return *number;
}

}  // namespace

SpanRow span_row(const Span& span) {
  SpanRow row;
  row.span_id = span.span_id;
  if (!span.parent_span_id.empty()) row.parent_span_id = span.parent_span_id;
  row.name = cut_to(span.name, kSpanNameLengthMax);
  row.type = cut_to(type_of(span), kSpanNameLengthMax);
  row.status = span.status;
  row.start_ns = span.start_ns;
  if (span.end_ns != 0) row.end_ns = span.end_ns;
  row.content = span_content(span);
  for (const auto& [key, value] : span.attributes.members()) {
    // Longer keys stand in the content only: an index takes keys of a limited size.
    if (key.empty() || key.size() > kKeyLengthMax) continue;
    row.attributes.push_back({key, attribute_text(value)});
  }
  return row;
}

Result<void> put_spans(sql::Txn& txn, const TraceRow& trace, std::span<const SpanRow> spans) {
  for (const SpanRow& span : spans) {
    TRY(const std::int64_t number, put_span(txn, trace, span));
    TRY(txn.execute("DELETE FROM span_attributes WHERE span_number = $1", {number}));
    std::vector<sql::Params> rows;
    for (const auto& [key, value] : span.attributes) {
      rows.push_back({number, key, value, trace.number, trace.experiment});
    }
    if (rows.empty()) continue;
    TRY(txn.execute_many(R"(
        INSERT INTO span_attributes (span_number, key, value, trace_number, experiment_id)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (span_number, key) DO NOTHING)",
                         rows));
  }
  return {};
}

Result<std::optional<std::vector<std::string>>> span_contents(sql::Reader& reader,
                                                              std::int64_t trace,
                                                              std::size_t bytes_max) {
  // Added up first: a sort holds all rows before it gives the first.
  TRY(const auto bytes,
      reader.query_one("SELECT SUM(OCTET_LENGTH(content)) FROM spans WHERE trace_number = $1",
                       {trace}, [](const sql::Row& row) { return row.integer(0); }));
  if (static_cast<std::size_t>(bytes.value_or(0)) > bytes_max) {
    return std::optional<std::vector<std::string>>();
  }
  TRY(auto contents, reader.query_all(R"(
      SELECT content FROM spans WHERE trace_number = $1
      ORDER BY CASE WHEN parent_span_id IS NULL THEN 0 ELSE 1 END, start_ns, span_number)",
                                      {trace}, [](const sql::Row& row) { return row.string(0); }));
  return std::optional(std::move(contents));
}

Result<std::vector<SpanValue>> span_values(sql::Reader& reader, std::int64_t trace,
                                           std::string_view key) {
  return reader.query_all(R"(
      SELECT s.span_id, s.parent_span_id, a.value FROM spans s
      LEFT JOIN span_attributes a ON a.span_number = s.span_number AND a.key = $2
      WHERE s.trace_number = $1 ORDER BY s.span_number)",
                          {trace, key}, [](const sql::Row& row) {
                            return SpanValue{row.string(0), row.string(1), row.optional_string(2)};
                          });
}

}  // namespace ciclo::tracking::store
