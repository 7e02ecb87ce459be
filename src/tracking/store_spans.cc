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

Result<std::int64_t> put_span(sql::Txn& txn, const TraceRow& trace, const Span& span) {
  const std::string name(cut_to(span.name, kSpanNameLengthMax));
  const std::string type(cut_to(type_of(span), kSpanNameLengthMax));
  const std::string content = span_content(span);
  const auto parent =
      span.parent_span_id.empty() ? std::nullopt : std::optional<std::string>(span.parent_span_id);
  const auto end = span.end_ns == 0 ? std::nullopt : std::optional(span.end_ns);
  TRY(const auto number,
      txn.query_one(R"(
          INSERT INTO spans (trace_number, span_id, experiment_id, parent_span_id, name, type,
            status, start_ns, end_ns, content)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
          ON CONFLICT (trace_number, span_id) DO UPDATE SET parent_span_id = excluded.parent_span_id,
            name = excluded.name, type = excluded.type, status = excluded.status,
            start_ns = excluded.start_ns, end_ns = excluded.end_ns, content = excluded.content
          RETURNING span_number)",
                    {trace.number, span.span_id, trace.experiment, sql::param(parent), name, type,
                     name_of(span.status), span.start_ns, sql::param(end), content},
                    [](const sql::Row& row) { return row.integer(0); }));
  if (!number) return internal("an insert returned no key");
  return *number;
}

}  // namespace

Result<void> put_spans(sql::Txn& txn, const TraceRow& trace, std::span<const Span* const> spans) {
  for (const Span* span : spans) {
    TRY(const std::int64_t number, put_span(txn, trace, *span));
    TRY(txn.execute("DELETE FROM span_attributes WHERE span_number = $1", {number}));
    std::vector<std::pair<std::string_view, std::string>> attributes;
    for (const auto& [key, value] : span->attributes.members()) {
      // Longer keys stand in the content only: an index takes keys of a limited size.
      if (key.empty() || key.size() > kKeyLengthMax) continue;
      attributes.emplace_back(key, attribute_text(value));
    }
    std::vector<sql::Params> rows;
    for (const auto& [key, value] : attributes) {
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

Result<std::vector<std::string>> span_contents(sql::Reader& reader, std::int64_t trace) {
  return reader.query_all(R"(
      SELECT content FROM spans WHERE trace_number = $1
      ORDER BY CASE WHEN parent_span_id IS NULL THEN 0 ELSE 1 END, start_ns, span_number)",
                          {trace}, [](const sql::Row& row) { return row.string(0); });
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
