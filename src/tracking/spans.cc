// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/text.h"
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

constexpr std::int64_t kNsOfMs = 1'000'000;
constexpr std::string_view kInputs = "mlflow.spanInputs";
constexpr std::string_view kOutputs = "mlflow.spanOutputs";
constexpr std::string_view kSpanUsage = "mlflow.chat.tokenUsage";
constexpr std::string_view kSpanCost = "mlflow.llm.cost";
// Tags of the trace that its root span carries.
constexpr std::string_view kTagPrefix = "mlflow.traceTag.";

// The spans of one trace in one request.
struct Arrived {
  std::vector<const Span*> spans;
  const json::Value* resource = nullptr;

  const Span* root() const {
    for (const Span* span : spans) {
      if (span->parent_span_id.empty()) return span;
    }
    return nullptr;
  }
  std::int64_t start_ms() const {
    return (*std::ranges::min_element(spans, {}, &Span::start_ns))->start_ns / kNsOfMs;
  }
  // nullopt while none has ended.
  std::optional<std::int64_t> end_ms() const {
    const std::int64_t end = (*std::ranges::max_element(spans, {}, &Span::end_ns))->end_ns;
    return end == 0 ? std::nullopt : std::optional(end / kNsOfMs);
  }
  // The first value of any of the attributes, in any span.
  std::optional<std::string> first_of(std::initializer_list<std::string_view> keys) const {
    for (const Span* span : spans) {
      for (const auto key : keys) {
        const json::Value* value = span->attributes.find(key);
        if (value != nullptr && !value->is_null()) return attribute_text(*value);
      }
    }
    return std::nullopt;
  }
  bool has(std::string_view key) const { return first_of({key}).has_value(); }
};

// By id, so that two requests take the same traces in the same order.
Result<std::map<std::string, Arrived>> by_trace(std::span<const SpanBatch> batches) {
  std::map<std::string, Arrived> out;
  std::size_t count = 0;
  for (const auto& batch : batches) {
    for (const auto& span : batch.spans) {
      if (++count > kSpansMax) {
        return invalid_argument("a request holds at most " + std::to_string(kSpansMax) +
                                " spans: send several");
      }
      Arrived& trace = out["tr-" + span.trace_id];
      trace.spans.push_back(&span);
      if (trace.resource == nullptr && !batch.resource.members().empty()) {
        trace.resource = &batch.resource;
      }
    }
  }
  return out;
}

std::optional<TraceState> state_of(const Arrived& arrived) {
  const Span* root = arrived.root();
  if (root == nullptr) return std::nullopt;
  return root->status == SpanStatus::kError ? TraceState::kError : TraceState::kOk;
}

void read_previews(const Arrived& arrived, TraceInfo& info) {
  const Span* root = arrived.root();
  if (root == nullptr) return;
  const json::Value* inputs = root->attributes.find(kInputs);
  const json::Value* outputs = root->attributes.find(kOutputs);
  if (!info.request_preview && inputs != nullptr && !inputs->is_null()) {
    info.request_preview = preview_of(attribute_json(*inputs), "user");
  }
  if (!info.response_preview && outputs != nullptr && !outputs->is_null()) {
    info.response_preview = preview_of(attribute_json(*outputs), "assistant");
  }
}

// A new trace as its spans have it.
TraceInfo info_of(const std::string& id, const ExperimentId& experiment, const Arrived& arrived) {
  TraceInfo info;
  info.trace_id = TraceId(id);
  info.experiment_id = experiment;
  info.request_ms = arrived.start_ms();
  if (const auto end_ms = arrived.end_ms()) info.duration_ms = *end_ms - info.request_ms;
  info.state = state_of(arrived).value_or(TraceState::kInProgress);
  read_previews(arrived, info);
  return info;
}

// One that is there, with what more spans add; times only while its info has not come.
void extend(TraceInfo& info, bool is_finalized, const Arrived& arrived) {
  if (!is_finalized) {
    const std::int64_t start_ms = std::min(info.request_ms, arrived.start_ms());
    auto end_ms = arrived.end_ms();
    if (end_ms && info.duration_ms) {
      end_ms = std::max(*end_ms, info.request_ms + *info.duration_ms);
    } else if (info.duration_ms) {
      end_ms = info.request_ms + *info.duration_ms;
    }
    info.request_ms = start_ms;
    if (end_ms) info.duration_ms = *end_ms - start_ms;
  }
  if (info.state == TraceState::kInProgress || info.state == TraceState::kUnspecified) {
    info.state = state_of(arrived).value_or(info.state);
  }
  read_previews(arrived, info);
}

Result<store::TraceRow> trace_for(sql::Txn& txn, const Context& context, const std::string& id,
                                  const ExperimentId& experiment_id, const Arrived& arrived) {
  TRY(lock_trace(txn, TraceId(id)));
  TRY(auto found, store::find_trace(txn, context.workspace, TraceId(id)));
  if (found) {
    TRY(const auto finalized, store::trace_metadata(txn, found->number, kFinalizedKey));
    extend(found->info, finalized.has_value(), arrived);
    TRY(store::update_trace(txn, *found));
    return std::move(*found);
  }
  TRY(const bool is_taken, store::has_trace_id(txn, TraceId(id)));
  if (is_taken) return already_exists("the trace id " + quoted(id) + " is taken");
  TRY(const auto experiment, active_experiment(txn, context, experiment_id));
  store::TraceRow row;
  TRY(row.experiment, store::experiment_number(experiment_id));
  row.info = info_of(id, experiment_id, arrived);
  TRY(row.number, store::insert_trace(txn, row.experiment, row.info));
  const Tag tag = artifact_tag(experiment, row.info.trace_id);
  TRY(store::put_trace_tags(txn, row, std::span(&tag, 1)));
  return row;
}

// Whether a key can be a tag; what cannot is left out, as MLflow does.
bool is_tag_key(std::string_view key) { return check_key("tag", key).ok(); }

std::vector<Tag> tags_of(const Arrived& arrived) {
  std::vector<Tag> tags;
  const auto add = [&](std::string_view key, const json::Value& value) {
    if (tags.size() >= kTracePairsMax || !is_tag_key(key)) return;
    tags.push_back(
        {std::string(key), std::string(cut_to(attribute_text(value), kTagValueLengthMax))});
  };
  if (arrived.resource != nullptr) {
    for (const auto& [key, value] : arrived.resource->members()) {
      // The server's own words are not for clients to set.
      if (!key.starts_with("telemetry.sdk.") && !key.starts_with("mlflow.")) add(key, value);
    }
  }
  if (const Span* root = arrived.root()) {
    for (const auto& [key, value] : root->attributes.members()) {
      if (key.starts_with(kTagPrefix)) add(std::string_view(key).substr(kTagPrefix.size()), value);
    }
  }
  std::erase_if(tags, [](const Tag& tag) { return tag.key == kSpansTag; });
  tags.push_back({std::string(kSpansTag), std::string(kSpansHere)});
  return tags;
}

// The sum of an object of numbers over the spans of a trace. Some libraries repeat the sum of the
// children in their parent: below a span that has the attribute, none counts.
std::optional<json::Value> sum_of(const std::vector<store::SpanValue>& spans) {
  std::unordered_map<std::string_view, const store::SpanValue*> by_id;
  for (const auto& span : spans) by_id[span.span_id] = &span;
  const auto is_below_another = [&](const store::SpanValue& span) {
    // Bounded, for parents may name each other.
    const store::SpanValue* at = &span;
    for (std::size_t step = 0; step < spans.size(); ++step) {
      const auto parent = by_id.find(at->parent_span_id);
      if (parent == by_id.end()) return false;
      at = parent->second;
      if (at->value) return true;
    }
    return false;
  };
  std::optional<json::Value> sum;
  for (const auto& span : spans) {
    if (!span.value || is_below_another(span)) continue;
    const auto parsed = json::parse(*span.value);
    if (!parsed.ok() || !parsed->is_object()) continue;
    if (!sum) sum = json::Value::object();
    for (const auto& [key, value] : parsed->members()) {
      json::Value& total = (*sum)[key];
      if (value.is_int() && (total.is_null() || total.is_int())) {
        std::int64_t added = 0;
        const std::int64_t before = total.is_null() ? 0 : total.integer();
        if (!__builtin_add_overflow(before, value.integer(), &added)) total = added;
      } else if (value.is_number()) {
        total = (total.is_number() ? total.number() : 0.0) + value.number();
      }
    }
  }
  return sum;
}

// What spans say about the whole, where the info has not said it.
Result<void> put_found_metadata(sql::Txn& txn, const store::TraceRow& trace,
                                const Arrived& arrived) {
  std::vector<Tag> found;
  const auto add_once = [&](std::string_view key,
                            std::optional<std::string> value) -> Result<void> {
    if (!value || value->empty() || length_of(*value) > kTraceSessionLengthMax) return {};
    TRY(const auto known, store::trace_metadata(txn, trace.number, key));
    if (!known) found.push_back({std::string(key), std::move(*value)});
    return {};
  };
  TRY(add_once(kSessionKey, arrived.first_of({"session.id", "gen_ai.conversation.id"})));
  TRY(add_once(kUserKey, arrived.first_of({"user.id"})));
  TRY(const auto finalized, store::trace_metadata(txn, trace.number, kFinalizedKey));
  for (const auto& [key, attribute] :
       {std::pair(kUsageKey, kSpanUsage), std::pair(kCostKey, kSpanCost)}) {
    if (!arrived.has(attribute)) continue;
    TRY(const auto known, store::trace_metadata(txn, trace.number, key));
    if (known && finalized) continue;
    TRY(const auto values, store::span_values(txn, trace.number, attribute));
    if (const auto sum = sum_of(values)) found.push_back({std::string(key), spaced_json(*sum)});
  }
  return store::put_trace_metadata(txn, trace, found);
}

Result<std::vector<Span>> spans_of(sql::Reader& reader, std::int64_t trace) {
  TRY(const auto contents, store::span_contents(reader, trace));
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
  TRY(const auto traces, by_trace(batches));
  if (traces.empty()) return {};
  return database_.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(const std::int64_t number, store::experiment_number(experiment));
    TRY(const auto found, store::find_experiment(txn, context.workspace, number));
    if (!found) return not_found("no experiment with id " + quoted(experiment.str()) + " exists");
    for (const auto& [id, arrived] : traces) {
      TRY(const auto trace, trace_for(txn, context, id, experiment, arrived));
      TRY(store::put_spans(txn, trace, arrived.spans));
      TRY(store::put_trace_tags(txn, trace, tags_of(arrived)));
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
    TRY(trace.spans, spans_of(reader, row.number));
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
    for (auto& info : found) {
      if (!has_spans_here(info)) continue;
      TRY(const auto row, store::find_trace(reader, context.workspace, info.trace_id));
      if (!row) continue;  // deleted meanwhile
      Trace trace;
      trace.info = std::move(info);
      TRY(trace.spans, spans_of(reader, row->number));
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
    TRY(auto texts, store::span_contents(reader, row.number));
    return Texts(std::move(texts));
  });
}

}  // namespace ciclo::tracking
