// SPDX-License-Identifier: Apache-2.0
#include "tracking/arrived_spans.h"

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "tracking/limits.h"
#include "tracking/span_text.h"
#include "tracking/trace_limits.h"
#include "tracking/trace_rows.h"

namespace ciclo::tracking {

namespace {

using namespace trace_keys;

constexpr std::int64_t kNsOfMs = 1'000'000;
constexpr std::string_view kInputs = "mlflow.spanInputs";
constexpr std::string_view kOutputs = "mlflow.spanOutputs";
// Tags of the trace that its root span carries.
constexpr std::string_view kTagPrefix = "mlflow.traceTag.";

struct Group {
  std::vector<const Span*> spans;
  const json::Value* resource = nullptr;
};

// Ordered by id.
Result<std::map<std::string, Group>> by_trace(std::span<const SpanBatch> batches) {
  std::map<std::string, Group> groups;
  std::size_t count = 0;
  for (const auto& batch : batches) {
    for (const auto& span : batch.spans) {
      if (++count > kSpansMax) {
        return invalid_argument("a request holds at most " + std::to_string(kSpansMax) +
                                " spans: send several");
      }
      Group& group = groups["tr-" + span.trace_id];
      group.spans.push_back(&span);
      if (group.resource == nullptr && !batch.resource.members().empty()) {
        group.resource = &batch.resource;
      }
    }
  }
  return groups;
}

const Span* root_of(const Group& group) {
  for (const Span* span : group.spans) {
    if (span->parent_span_id.empty()) return span;
  }
  return nullptr;
}

const json::Value* attribute_of(const Span& span, std::string_view key) {
  const json::Value* value = span.attributes.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

// The first value of any of the attributes, in any span.
std::optional<std::string> first_of(const Group& group,
                                    std::initializer_list<std::string_view> keys) {
  for (const Span* span : group.spans) {
    for (const auto key : keys) {
      if (const json::Value* value = attribute_of(*span, key)) return attribute_text(*value);
    }
  }
  return std::nullopt;
}

bool any_has(const Group& group, std::string_view key) {
  return std::ranges::any_of(group.spans,
                             [&](const Span* span) { return attribute_of(*span, key) != nullptr; });
}

std::optional<std::string> preview(const Span& root, std::string_view key, std::string_view role) {
  const json::Value* value = attribute_of(root, key);
  if (value == nullptr) return std::nullopt;
  return preview_of(attribute_json(*value), role);
}

// What is no key of a tag is left out, as MLflow does; so is what is the server's to say.
bool is_tag_of_clients(std::string_view key) {
  return check_key("tag", key).ok() && key != kSpansTag && key != kArtifactTag;
}

std::vector<Tag> tags_of(const Group& group, const Span* root) {
  std::vector<Tag> tags;
  const auto add = [&](std::string_view key, const json::Value& value) {
    if (tags.size() >= kTracePairsMax || !is_tag_of_clients(key)) return;
    tags.push_back(
        {std::string(key), std::string(cut_to(attribute_text(value), kTagValueLengthMax))});
  };
  if (group.resource != nullptr) {
    for (const auto& [key, value] : group.resource->members()) {
      if (!key.starts_with("telemetry.sdk.") && !key.starts_with("mlflow.")) add(key, value);
    }
  }
  if (root != nullptr) {
    for (const auto& [key, value] : root->attributes.members()) {
      if (key.starts_with(kTagPrefix)) add(std::string_view(key).substr(kTagPrefix.size()), value);
    }
  }
  tags.push_back({std::string(kSpansTag), std::string(kSpansHere)});
  return tags;
}

ArrivedTrace arrived(const std::string& id, const Group& group) {
  ArrivedTrace trace;
  trace.trace_id = TraceId(id);
  for (const Span* span : group.spans) trace.rows.push_back(store::span_row(*span));
  const auto& spans = group.spans;
  trace.start_ms = (*std::ranges::min_element(spans, {}, &Span::start_ns))->start_ns / kNsOfMs;
  const std::int64_t end_ns = (*std::ranges::max_element(spans, {}, &Span::end_ns))->end_ns;
  if (end_ns != 0) trace.end_ms = end_ns / kNsOfMs;
  const Span* root = root_of(group);
  if (root != nullptr) {
    trace.state = root->status == SpanStatus::kError ? TraceState::kError : TraceState::kOk;
    trace.request_preview = preview(*root, kInputs, "user");
    trace.response_preview = preview(*root, kOutputs, "assistant");
  }
  trace.session = first_of(group, {"session.id", "gen_ai.conversation.id"});
  trace.user = first_of(group, {"user.id"});
  trace.has_usage = any_has(group, kSpanUsage);
  trace.has_cost = any_has(group, kSpanCost);
  trace.tags = tags_of(group, root);
  return trace;
}

// For each span, whether one above it has a value. Parents may be missing, or name each other: then
// nothing is above where the circle was entered.
std::vector<bool> below_a_value(std::span<const store::SpanValue> spans) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::unordered_map<std::string_view, std::size_t> by_id;
  for (std::size_t i = 0; i < spans.size(); ++i) by_id[spans[i].span_id] = i;
  const auto parent_of = [&](std::size_t i) {
    const auto found = by_id.find(spans[i].parent_span_id);
    return found == by_id.end() ? kNone : found->second;
  };
  std::vector<bool> is_below(spans.size(), false);
  std::vector<bool> is_seen(spans.size(), false);
  std::vector<std::size_t> path;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    path.clear();
    for (std::size_t at = i; at != kNone && !is_seen[at]; at = parent_of(at)) {
      is_seen[at] = true;
      path.push_back(at);
    }
    for (; !path.empty(); path.pop_back()) {
      const std::size_t parent = parent_of(path.back());
      if (parent != kNone) is_below[path.back()] = spans[parent].value || is_below[parent];
    }
  }
  return is_below;
}

void add_numbers(const json::Value& numbers, json::Value& sum) {
  for (const auto& [key, value] : numbers.members()) {
    json::Value& total = sum[key];
    if (value.is_int() && (total.is_null() || total.is_int())) {
      std::int64_t added = 0;
      const std::int64_t before = total.is_null() ? 0 : total.integer();
      if (!__builtin_add_overflow(before, value.integer(), &added)) total = added;
    } else if (value.is_number()) {
      total = (total.is_number() ? total.number() : 0.0) + value.number();
    }
  }
}

}  // namespace

Result<std::vector<ArrivedTrace>> arrived_traces(std::span<const SpanBatch> batches) {
  TRY(const auto groups, by_trace(batches));
  std::vector<ArrivedTrace> traces;
  for (const auto& [id, group] : groups) traces.push_back(arrived(id, group));
  return traces;
}

std::optional<json::Value> sum_of_spans(std::span<const store::SpanValue> spans) {
  const std::vector<bool> is_below = below_a_value(spans);
  std::optional<json::Value> sum;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (!spans[i].value || is_below[i]) continue;
    const auto parsed = json::parse(*spans[i].value);
    if (!parsed.ok() || !parsed->is_object()) continue;
    if (!sum) sum = json::Value::object();
    add_numbers(*parsed, *sum);
  }
  return sum;
}

}  // namespace ciclo::tracking
