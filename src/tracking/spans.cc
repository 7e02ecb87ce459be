// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "sql/once.h"
#include "tracking/arrived_spans.h"
#include "tracking/limits.h"
#include "tracking/span_text.h"
#include "tracking/store.h"
#include "tracking/trace_limits.h"
#include "tracking/trace_rows.h"
#include "tracking/traces.h"

// The part of Traces that receives and returns spans.

namespace ciclo::tracking {

namespace {

using namespace trace_keys;

// A new trace as its spans have it.
TraceInfo info_of(const ExperimentId& experiment, const ArrivedTrace& arrived) {
  TraceInfo info;
  info.trace_id = arrived.trace_id;
  info.experiment_id = experiment;
  info.request_ms = arrived.start_ms;
  if (arrived.end_ms) info.duration_ms = *arrived.end_ms - info.request_ms;
  info.state = arrived.state.value_or(TraceState::kInProgress);
  info.request_preview = arrived.request_preview;
  info.response_preview = arrived.response_preview;
  return info;
}

// One that is there, with what more spans add; times only while its info has not come.
void extend(TraceInfo& info, bool is_finalized, const ArrivedTrace& arrived) {
  if (!is_finalized) {
    const std::int64_t start_ms = std::min(info.request_ms, arrived.start_ms);
    auto end_ms = arrived.end_ms;
    if (end_ms && info.duration_ms) {
      end_ms = std::max(*end_ms, info.request_ms + *info.duration_ms);
    } else if (info.duration_ms) {
      end_ms = info.request_ms + *info.duration_ms;
    }
    info.request_ms = start_ms;
    if (end_ms) info.duration_ms = *end_ms - start_ms;
  }
  if (info.state == TraceState::kInProgress || info.state == TraceState::kUnspecified) {
    info.state = arrived.state.value_or(info.state);
  }
  if (!info.request_preview) info.request_preview = arrived.request_preview;
  if (!info.response_preview) info.response_preview = arrived.response_preview;
}

Result<store::TraceRow> trace_for(sql::Txn& txn, const Context& context,
                                  const ExperimentId& experiment_id, const ArrivedTrace& arrived) {
  const TraceId& id = arrived.trace_id;
  TRY(auto found, store::find_trace(txn, context.workspace, id));
  if (found) {
    TRY(const auto finalized, store::trace_metadata(txn, found->number, kFinalizedKey));
    extend(found->info, finalized.has_value(), arrived);
    TRY(store::update_trace(txn, *found));
    return std::move(*found);
  }
  TRY(const bool is_taken, store::has_trace_id(txn, id));
  if (is_taken) return already_exists("the trace id " + quoted(id.str()) + " is taken");
  TRY(const auto experiment, active_experiment(txn, context, experiment_id));
  store::TraceRow row;
  TRY(row.experiment, store::experiment_number(experiment_id));
  row.info = info_of(experiment_id, arrived);
  TRY(row.number, store::insert_trace(txn, row.experiment, row.info));
  const Tag tag = artifact_tag(experiment, id);
  TRY(store::put_trace_tags(txn, row, std::span(&tag, 1)));
  return row;
}

// What spans say about the whole, where the info has not said it.
Result<void> put_found_metadata(sql::Txn& txn, const store::TraceRow& trace,
                                const ArrivedTrace& arrived) {
  std::vector<Tag> found;
  const auto add_once = [&](std::string_view key,
                            const std::optional<std::string>& value) -> Result<void> {
    if (!value || value->empty() || length_of(*value) > kTraceSessionLengthMax) return {};
    TRY(const auto known, store::trace_metadata(txn, trace.number, key));
    if (!known) found.push_back({std::string(key), *value});
    return {};
  };
  TRY(add_once(kSessionKey, arrived.session));
  TRY(add_once(kUserKey, arrived.user));
  const auto add_sum = [&](std::string_view key, std::string_view attribute) -> Result<void> {
    TRY(const auto known, store::trace_metadata(txn, trace.number, key));
    TRY(const auto finalized, store::trace_metadata(txn, trace.number, kFinalizedKey));
    if (known && finalized) return {};
    TRY(const auto values, store::span_values(txn, trace.number, attribute));
    if (const auto sum = sum_of_spans(values)) {
      found.push_back({std::string(key), spaced_json(*sum)});
    }
    return {};
  };
  if (arrived.has_usage) TRY(add_sum(kUsageKey, kSpanUsage));
  if (arrived.has_cost) TRY(add_sum(kCostKey, kSpanCost));
  return store::put_trace_metadata(txn, trace, found);
}

// What the spans of one answer may hold in all, for they are in memory at once.
struct Room {
  std::size_t bytes_left = kSpanBytesAnsweredMax;
};

Result<std::vector<std::string>> contents_of(sql::Reader& reader, std::int64_t trace, Room& room) {
  TRY(auto contents, store::span_contents(reader, trace, room.bytes_left));
  if (!contents) {
    return failed_precondition("the spans asked for are longer than the " +
                               std::to_string(kSpanBytesAnsweredMax >> 20) +
                               " MiB that one answer holds: ask for fewer traces at once");
  }
  for (const auto& content : *contents) room.bytes_left -= content.size();
  return std::move(*contents);
}

Result<std::vector<Span>> spans_of(sql::Reader& reader, std::int64_t trace, Room& room) {
  TRY(const auto contents, contents_of(reader, trace, room));
  std::vector<Span> spans;
  for (const auto& content : contents) {
    TRY(auto span, parse_span_content(content));
    spans.push_back(std::move(span));
  }
  return spans;
}

const Tag* find_pair(const std::vector<Tag>& pairs, std::string_view key) {
  const auto found = std::ranges::find(pairs, key, &Tag::key);
  return found == pairs.end() ? nullptr : &*found;
}

bool has_spans_here(const TraceInfo& info) {
  const Tag* place = find_pair(info.tags, kSpansTag);
  return place != nullptr && place->value == kSpansHere;
}

// How many spans the info promises.
std::int64_t promised(const TraceInfo& info) {
  const Tag* size = find_pair(info.metadata, kSizeKey);
  if (size == nullptr) return 0;
  const auto parsed = json::parse(size->value);
  return parsed.ok() ? parsed->integer_or("num_spans", 0) : 0;
}

bool is_whole(const Trace& trace) {
  return !trace.spans.empty() && std::ssize(trace.spans) >= promised(trace.info);
}

}  // namespace

Result<void> Traces::log_spans(const Context& context, const ExperimentId& experiment,
                               std::span<const SpanBatch> batches) {
  TRY(const auto traces, arrived_traces(batches));
  if (traces.empty()) return {};
  std::vector<TraceId> ids;
  for (const auto& arrived : traces) ids.push_back(arrived.trace_id);
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(lock_traces(txn, ids));
    TRY(const std::int64_t number, store::experiment_number(experiment));
    TRY(const auto found, store::find_experiment_row(txn, context.workspace, number));
    if (!found) return not_found("no experiment with id " + quoted(experiment.str()) + " exists");
    for (const auto& arrived : traces) {
      TRY(const auto trace, trace_for(txn, context, experiment, arrived));
      TRY(store::put_spans(txn, trace, arrived.rows));
      TRY(store::put_trace_tags(txn, trace, arrived.tags));
      TRY(put_found_metadata(txn, trace, arrived));
    }
    return {};
  });
}

Result<Trace> Traces::get(const Context& context, const TraceId& id, Missing missing) {
  return database_.view([&](sql::Reader& reader) -> Result<Trace> {
    TRY(auto row, required_trace(reader, context, id));
    TRY(store::load_trace_data(reader, std::span(&row.number, 1), std::span(&row.info, 1)));
    Trace trace;
    trace.info = std::move(row.info);
    if (!has_spans_here(trace.info)) {
      return failed_precondition("the spans of trace " + id.str() +
                                 " are not stored here: its client keeps them among its artifacts");
    }
    Room room;
    TRY(trace.spans, spans_of(reader, row.number, room));
    if (missing == Missing::kAllow || is_whole(trace)) return trace;
    return not_found("trace " + id.str() +
                     " is not complete yet: " + std::to_string(trace.spans.size()) + " of " +
                     std::to_string(promised(trace.info)) + " spans have come");
  });
}

Result<std::vector<Trace>> Traces::get_many(
    const Context& context, std::span<const std::string> ids,
    const std::optional<std::vector<ExperimentId>>& experiments) {
  TRY(auto found, infos(context, ids, experiments));
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<Trace>> {
    std::vector<Trace> traces;
    Room room;
    for (auto& info : found) {
      if (!has_spans_here(info)) continue;
      TRY(const auto row, store::find_trace(reader, context.workspace, info.trace_id));
      if (!row) continue;  // deleted meanwhile
      Trace trace;
      trace.info = std::move(info);
      TRY(trace.spans, spans_of(reader, row->number, room));
      if (is_whole(trace)) traces.push_back(std::move(trace));
    }
    return traces;
  });
}

Result<std::optional<std::vector<std::string>>> Traces::span_texts(const Context& context,
                                                                   const TraceId& id) {
  using Texts = std::optional<std::vector<std::string>>;
  return database_.view([&](sql::Reader& reader) -> Result<Texts> {
    TRY(const auto row, required_trace(reader, context, id));
    TRY(const auto place, store::trace_tag(reader, row.number, kSpansTag));
    if (place != kSpansHere) return Texts();
    Room room;
    TRY(auto texts, contents_of(reader, row.number, room));
    return Texts(std::move(texts));
  });
}

}  // namespace ciclo::tracking
