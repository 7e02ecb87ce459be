// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/search.h"
#include "tracking/trace_types.h"
#include "tracking/types.h"

// The SQL of traces: functions over a transaction or snapshot. Rules are in traces.cc and spans.cc.
// store_traces.cc holds infos, store_spans.cc spans, store_assessments.cc assessments and
// store_trace_search.cc the search.

namespace ciclo::tracking::store {

struct TraceRow {
  std::int64_t number = 0;
  std::int64_t experiment = 0;
  TraceInfo info;  // without metadata, tags and assessments
};

inline constexpr std::string_view kTraceColumns =
    "t.trace_number, t.experiment_id, t.trace_id, t.client_request_id, t.state, t.request_ms, "
    "t.duration_ms, t.request_preview, t.response_preview";
inline constexpr int kTraceColumnCount = 9;
TraceRow trace_of(const sql::Row& row);

// --- Infos
Result<std::int64_t> insert_trace(sql::Txn& txn, std::int64_t experiment, const TraceInfo& trace);
Result<std::optional<TraceRow>> find_trace(sql::Reader& reader, std::string_view workspace,
                                           const TraceId& id);
// Those that are there, in any order; `experiments` as in Traces::infos.
Result<std::vector<TraceRow>> find_traces(sql::Reader& reader, std::string_view workspace,
                                          std::span<const std::string> ids);
// True when some trace, of any workspace, has this id.
Result<bool> has_trace_id(sql::Reader& reader, const TraceId& id);
Result<void> update_trace(sql::Txn& txn, const TraceRow& trace);
// To another experiment, with all that belongs to it.
Result<void> move_trace(sql::Txn& txn, std::int64_t number, std::int64_t experiment);
Result<void> put_trace_tags(sql::Txn& txn, const TraceRow& trace, std::span<const Tag> tags);
Result<void> put_trace_metadata(sql::Txn& txn, const TraceRow& trace,
                                std::span<const Tag> metadata);
Result<bool> remove_trace_tag(sql::Txn& txn, std::int64_t trace, std::string_view key);
Result<std::optional<std::string>> trace_metadata(sql::Reader& reader, std::int64_t trace,
                                                  std::string_view key);
Result<std::optional<std::string>> trace_tag(sql::Reader& reader, std::int64_t trace,
                                             std::string_view key);
// Metadata, tags and assessments; `traces` and `out` have the same order.
Result<void> load_trace_data(sql::Reader& reader, std::span<const std::int64_t> traces,
                             std::span<TraceInfo> out);
// The oldest traces of an experiment that began at `until_ms` or before.
Result<std::vector<std::int64_t>> traces_until(sql::Reader& reader, std::int64_t experiment,
                                               std::int64_t until_ms, std::int64_t limit);
// With spans, tags, metadata, assessments and links.
Result<void> delete_traces(sql::Txn& txn, std::span<const std::int64_t> traces);
Result<void> link_trace_to_run(sql::Txn& txn, std::int64_t trace, const RunId& run);
Result<void> link_trace_to_prompt(sql::Txn& txn, std::int64_t trace, std::string_view prompt);

// --- Spans
// A span as it is stored. Made before the transaction, for the JSON of large spans takes its time.
struct SpanRow {
  std::string span_id;
  std::optional<std::string> parent_span_id;
  std::string name;
  std::string type;
  SpanStatus status = SpanStatus::kUnset;
  std::int64_t start_ns = 0;
  std::optional<std::int64_t> end_ns;
  std::string content;          // span_content of span_text.h
  std::vector<Tag> attributes;  // those that a search finds, as attribute_text
};
SpanRow span_row(const Span& span);
// Those of one trace; one that is there already is replaced.
Result<void> put_spans(sql::Txn& txn, const TraceRow& trace, std::span<const SpanRow> spans);
// As span_text.h writes them: roots first, then by start. nullopt when they are longer than
// `bytes_max` in all; no more than that is read then.
Result<std::optional<std::vector<std::string>>> span_contents(sql::Reader& reader,
                                                              std::int64_t trace,
                                                              std::size_t bytes_max);
// One attribute of every span of a trace; nullopt where a span lacks it.
struct SpanValue {
  std::string span_id;
  std::string parent_span_id;
  std::optional<std::string> value;
};
Result<std::vector<SpanValue>> span_values(sql::Reader& reader, std::int64_t trace,
                                           std::string_view key);

// --- Search
Result<Page<TraceInfo>> search_traces(sql::Reader& reader, std::string_view workspace,
                                      std::span<const ExperimentId> experiments,
                                      const SearchText& text, std::int64_t max_results);
// How many traces fulfil all of the filters.
Result<std::int64_t> count_traces(sql::Reader& reader, std::span<const std::int64_t> experiments,
                                  std::span<const std::string_view> filters);

// --- Assessments
Result<void> insert_assessment(sql::Txn& txn, const TraceRow& trace, const Assessment& assessment);
Result<std::optional<Assessment>> find_assessment(sql::Reader& reader, const TraceRow& trace,
                                                  const AssessmentId& id);
Result<void> update_assessment(sql::Txn& txn, const Assessment& assessment);
// False when the trace has no such assessment.
Result<bool> set_assessment_valid(sql::Txn& txn, std::int64_t trace, std::string_view id,
                                  bool is_valid);
Result<void> delete_assessment(sql::Txn& txn, std::int64_t trace, const AssessmentId& id);
Result<bool> has_assessment_id(sql::Reader& reader, const AssessmentId& id);
// Appends those of the traces, the oldest first.
Result<void> load_assessments(sql::Reader& reader, std::span<const std::int64_t> traces,
                              std::span<TraceInfo> out);

}  // namespace ciclo::tracking::store
