// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/trace_messages.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "api/mlflow/messages.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/utc.h"
#include "tracking/limits.h"
#include "tracking/span_text.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::Assessment;
using tracking::AssessmentKind;
using tracking::Tag;
using tracking::TraceInfo;
using tracking::TraceState;

// Answers hold at most so many characters of a value; the store may hold more.
constexpr std::size_t kMetadataShownMax = 250;
constexpr std::size_t kTagShownMax = 4'096;

// Expectations that are no single value travel as a JSON text.
constexpr std::string_view kJsonFormat = "JSON_FORMAT";

Result<std::optional<std::int64_t>> time_of(const Fields& fields, std::string_view key) {
  TRY(const auto text, fields.optional_text(key));
  if (!text) return std::optional<std::int64_t>();
  const auto ms = parse_utc(*text);
  if (ms) return ms;
  return invalid_argument(std::string(key) +
                          ": expected a time such as 2025-01-31T10:00:00.5Z, got " + quoted(*text));
}

// "1.500s" in milliseconds.
Result<std::optional<std::int64_t>> duration_of(const Fields& fields, std::string_view key) {
  constexpr double kSecondsMax = 315'576'000'000;  // protobuf's
  TRY(const auto text, fields.optional_text(key));
  if (!text) return std::optional<std::int64_t>();
  const std::string_view digits(*text);
  const auto seconds =
      digits.ends_with('s') ? parse_double(digits.substr(0, digits.size() - 1)) : std::nullopt;
  if (seconds && std::abs(*seconds) <= kSecondsMax) {
    return std::optional(static_cast<std::int64_t>(std::floor(*seconds * 1'000 + 1e-6)));
  }
  return invalid_argument(std::string(key) + ": expected seconds such as 1.5s, got " +
                          quoted(*text));
}

std::string duration_text(std::int64_t ms) {
  const std::int64_t whole = ms / 1'000;
  const std::int64_t rest = std::abs(ms % 1'000);
  std::string out = std::string(ms < 0 && whole == 0 ? "-" : "") + std::to_string(whole);
  if (rest != 0) {
    char fraction[8];
    std::snprintf(fraction, sizeof fraction, ".%03d", static_cast<int>(rest));
    out += fraction;
  }
  return out + "s";
}

// A google.protobuf.Value: its numbers are doubles.
json::Value with_doubles(json::Value value) {
  if (value.is_int()) return {static_cast<double>(value.integer())};
  if (value.is_array()) {
    for (auto& item : value.items()) item = with_doubles(std::move(item));
  } else if (value.is_object()) {
    for (auto& [key, member] : value.members()) member = with_doubles(std::move(member));
  }
  return value;
}

Result<std::string> source_type_of(const Fields& source) {
  constexpr std::array<std::string_view, 4> kTypes = {"SOURCE_TYPE_UNSPECIFIED", "HUMAN",
                                                      "LLM_JUDGE", "CODE"};
  TRY(auto word, source.word("source_type"));
  if (word.empty()) return std::string(kTypes[0]);
  if (word == "AI_JUDGE") return std::string(kTypes[2]);
  if (const auto number = parse_int(word); number && *number >= 0 && *number < 4) {
    return std::string(kTypes[static_cast<std::size_t>(*number)]);
  }
  for (const auto type : kTypes) {
    if (word == type) return word;
  }
  return invalid_argument("source.source_type: expected HUMAN, LLM_JUDGE or CODE, got " +
                          quoted(word));
}

Result<void> read_value(const Fields& fields, Assessment& out) {
  const int values =
      int{fields.has("feedback")} + int{fields.has("expectation")} + int{fields.has("issue")};
  if (values != 1) {
    return invalid_argument("an assessment has one of feedback, expectation and issue, got " +
                            std::to_string(values) + " of them");
  }
  if (fields.has("feedback")) {
    TRY(const auto feedback, fields.member("feedback"));
    out.kind = AssessmentKind::kFeedback;
    TRY(out.value, feedback_value(feedback));
    TRY(out.error, feedback_error(feedback));
  } else if (fields.has("expectation")) {
    TRY(const auto expectation, fields.member("expectation"));
    out.kind = AssessmentKind::kExpectation;
    TRY(out.value, expectation_value(expectation));
  } else {
    TRY(const auto issue, fields.member("issue"));
    out.kind = AssessmentKind::kIssue;
    TRY(auto name, issue.text_or_empty("issue_name"));
    out.value = json::Value::object({{"issue_name", std::move(name)}});
  }
  return {};
}

void write_map(json::Writer& out, std::string_view name, const std::vector<Tag>& pairs,
               std::size_t shown_max) {
  if (pairs.empty()) return;
  out.key(name).begin_object();
  for (const auto& pair : pairs) out.key(pair.key).string(tracking::cut_to(pair.value, shown_max));
  out.end_object();
}

void write_pairs(json::Writer& out, std::string_view name, const std::vector<Tag>& pairs,
                 std::size_t shown_max) {
  if (pairs.empty()) return;
  out.key(name).begin_array();
  for (const auto& pair : pairs) {
    out.begin_object().key("key").string(pair.key);
    out.key("value").string(tracking::cut_to(pair.value, shown_max)).end_object();
  }
  out.end_array();
}

void text_if_any(json::Writer& out, std::string_view name, const std::optional<std::string>& text) {
  if (text) out.key(name).string(*text);
}

void write_value(json::Writer& out, const Assessment& assessment) {
  out.key(name_of(assessment.kind)).begin_object();
  switch (assessment.kind) {
    case AssessmentKind::kFeedback:
      out.key("value").value(assessment.value);
      if (assessment.error) out.key("error").value(*assessment.error);
      break;
    case AssessmentKind::kExpectation:
      if (assessment.value.is_array() || assessment.value.is_object()) {
        out.key("serialized_value").begin_object();
        out.key("serialization_format").string(kJsonFormat);
        out.key("value").string(json::dump(assessment.value, json::NonFinite::kBare)).end_object();
      } else {
        out.key("value").value(assessment.value);
      }
      break;
    case AssessmentKind::kIssue:
      out.key("issue_name").string(assessment.value.string_or("issue_name", ""));
      break;
  }
  out.end_object();
}

}  // namespace

Result<std::vector<Tag>> pairs_of(const Fields& fields, std::string_view key) {
  std::vector<Tag> out;
  if (!fields.has(key)) return out;
  TRY(const auto map, fields.member(key));
  TRY(map.each_text([&](std::string_view name, std::string value) {
    out.push_back({std::string(name), std::move(value)});
  }));
  return out;
}

Result<json::Value> feedback_value(const Fields& feedback) {
  return with_doubles(feedback.value_or_null("value"));
}

Result<std::optional<json::Value>> feedback_error(const Fields& feedback) {
  std::optional<json::Value> out;
  if (!feedback.has("error")) return out;
  TRY(const auto error, feedback.member("error"));
  json::Value value = json::Value::object();
  for (const std::string_view key : {"error_code", "error_message", "stack_trace"}) {
    TRY(auto text, error.optional_text(key));
    if (text) value[key] = std::move(*text);
  }
  out = std::move(value);
  return out;
}

Result<json::Value> expectation_value(const Fields& expectation) {
  if (!expectation.has("serialized_value")) {
    json::Value value = with_doubles(expectation.value_or_null("value"));
    if (value.is_null()) return invalid_argument("expectation: a value is needed");
    return value;
  }
  TRY(const auto serialized, expectation.member("serialized_value"));
  TRY(const auto format, serialized.text("serialization_format"));
  if (format != kJsonFormat) {
    return invalid_argument("serialization_format: expected " + std::string(kJsonFormat) +
                            ", got " + quoted(format));
  }
  TRY(const auto text, serialized.text("value"));
  auto value = json::parse(text);
  if (!value.ok()) return value.error().with_context("expectation");
  return value;
}

Result<TraceState> trace_state_of(const Fields& fields, std::string_view key) {
  TRY(const auto word, fields.word(key));
  if (word.empty() || word == "TRACE_STATUS_UNSPECIFIED") return TraceState::kUnspecified;
  if (const auto number = parse_int(word); number && *number >= 0 && *number <= 3) {
    return static_cast<TraceState>(*number);
  }
  if (const auto state = tracking::parse_trace_state(word)) return *state;
  return invalid_argument(std::string(key) + ": expected OK, ERROR or IN_PROGRESS, got " +
                          quoted(word));
}

Result<Assessment> assessment_of(const Fields& fields) {
  Assessment out;
  TRY(read_value(fields, out));
  TRY(auto id, fields.text_or_empty("assessment_id"));
  out.assessment_id = tracking::AssessmentId(std::move(id));
  TRY(out.name, fields.text_or_empty("assessment_name"));
  TRY(auto trace, fields.text_or_empty("trace_id"));
  out.trace_id = tracking::TraceId(std::move(trace));
  out.source_type = "SOURCE_TYPE_UNSPECIFIED";
  if (fields.has("source")) {
    TRY(const auto source, fields.member("source"));
    TRY(out.source_type, source_type_of(source));
    TRY(out.source_id, source.text_or_empty("source_id"));
  }
  TRY(const auto span, fields.text_or_empty("span_id"));
  if (!span.empty()) out.span_id = span;
  TRY(const auto rationale, fields.text_or_empty("rationale"));
  if (!rationale.empty() && out.kind != AssessmentKind::kExpectation) out.rationale = rationale;
  TRY(const auto overrides, fields.text_or_empty("overrides"));
  if (!overrides.empty()) out.overrides = overrides;
  TRY(out.metadata, pairs_of(fields, "metadata"));
  TRY(const auto created, time_of(fields, "create_time"));
  TRY(const auto updated, time_of(fields, "last_update_time"));
  out.created_ms = created.value_or(0);
  out.updated_ms = updated.value_or(0);
  return out;
}

Result<TraceInfo> trace_info_of(const Fields& fields) {
  TraceInfo out;
  TRY(auto id, fields.text("trace_id"));
  out.trace_id = tracking::TraceId(std::move(id));
  TRY(const auto location, fields.member("trace_location"));
  TRY(const auto place, location.member("mlflow_experiment"));
  TRY(auto experiment, place.text("experiment_id"));
  out.experiment_id = tracking::ExperimentId(std::move(experiment));
  TRY(out.client_request_id, fields.optional_text("client_request_id"));
  TRY(out.request_preview, fields.optional_text("request_preview"));
  TRY(out.response_preview, fields.optional_text("response_preview"));
  TRY(const auto request_ms, time_of(fields, "request_time"));
  out.request_ms = request_ms.value_or(0);
  TRY(out.duration_ms, duration_of(fields, "execution_duration"));
  TRY(out.state, trace_state_of(fields, "state"));
  TRY(out.metadata, pairs_of(fields, "trace_metadata"));
  TRY(out.tags, pairs_of(fields, "tags"));
  TRY(fields.each("assessments", [&](const Fields& item) -> Result<void> {
    TRY(auto assessment, assessment_of(item));
    assessment.trace_id = out.trace_id;
    if (assessment.created_ms == 0) assessment.created_ms = out.request_ms;
    if (assessment.updated_ms == 0) assessment.updated_ms = out.request_ms;
    out.assessments.push_back(std::move(assessment));
    return {};
  }));
  return out;
}

void write(json::Writer& out, const Assessment& assessment) {
  out.begin_object();
  out.key("assessment_id").string(assessment.assessment_id.str());
  out.key("assessment_name").string(assessment.name);
  out.key("trace_id").string(assessment.trace_id.str());
  text_if_any(out, "span_id", assessment.span_id);
  out.key("source").begin_object().key("source_type").string(assessment.source_type);
  if (!assessment.source_id.empty()) out.key("source_id").string(assessment.source_id);
  out.end_object();
  out.key("create_time").string(format_utc(assessment.created_ms));
  out.key("last_update_time").string(format_utc(assessment.updated_ms));
  write_value(out, assessment);
  text_if_any(out, "rationale", assessment.rationale);
  if (!assessment.metadata.empty()) {
    out.key("metadata").begin_object();
    for (const auto& pair : assessment.metadata) out.key(pair.key).string(pair.value);
    out.end_object();
  }
  text_if_any(out, "overrides", assessment.overrides);
  out.key("valid").boolean(assessment.is_valid);
  out.end_object();
}

void write(json::Writer& out, const TraceInfo& trace) {
  out.begin_object();
  out.key("trace_id").string(trace.trace_id.str());
  text_if_any(out, "client_request_id", trace.client_request_id);
  out.key("trace_location").begin_object().key("type").string("MLFLOW_EXPERIMENT");
  out.key("mlflow_experiment").begin_object();
  out.key("experiment_id").string(trace.experiment_id.str()).end_object().end_object();
  text_if_any(out, "request_preview", trace.request_preview);
  text_if_any(out, "response_preview", trace.response_preview);
  out.key("request_time").string(format_utc(trace.request_ms));
  if (trace.duration_ms) out.key("execution_duration").string(duration_text(*trace.duration_ms));
  out.key("state").string(name_of(trace.state));
  write_map(out, "trace_metadata", trace.metadata, kMetadataShownMax);
  if (!trace.assessments.empty()) {
    out.key("assessments").begin_array();
    for (const auto& assessment : trace.assessments) write(out, assessment);
    out.end_array();
  }
  write_map(out, "tags", trace.tags, kTagShownMax);
  out.end_object();
}

namespace {

void write_attributes(json::Writer& out, std::string_view name, const json::Value& attributes);

// OpenTelemetry's AnyValue; null has none.
void write_any(json::Writer& out, const json::Value& value) {
  out.begin_object();
  switch (value.kind()) {
    case json::Kind::kNull: break;
    case json::Kind::kBool: out.key("bool_value").boolean(value.boolean()); break;
    case json::Kind::kInt: out.key("int_value").integer(value.integer()); break;
    case json::Kind::kDouble: out.key("double_value").number(value.number()); break;
    case json::Kind::kString: out.key("string_value").string(value.string()); break;
    case json::Kind::kArray:
      out.key("array_value").begin_object();
      if (!value.items().empty()) {
        out.key("values").begin_array();
        for (const auto& item : value.items()) write_any(out, item);
        out.end_array();
      }
      out.end_object();
      break;
    case json::Kind::kObject:
      out.key("kvlist_value").begin_object();
      write_attributes(out, "values", value);
      out.end_object();
      break;
  }
  out.end_object();
}

void write_attributes(json::Writer& out, std::string_view name, const json::Value& attributes) {
  if (attributes.members().empty()) return;
  out.key(name).begin_array();
  for (const auto& [key, value] : attributes.members()) {
    out.begin_object().key("key").string(key);
    if (!value.is_null()) {
      out.key("value");
      write_any(out, value);
    }
    out.end_object();
  }
  out.end_array();
}

void write_span(json::Writer& out, const tracking::Span& span) {
  out.begin_object();
  out.key("trace_id").string(tracking::base64_of_hex(span.trace_id));
  out.key("span_id").string(tracking::base64_of_hex(span.span_id));
  if (!span.parent_span_id.empty()) {
    out.key("parent_span_id").string(tracking::base64_of_hex(span.parent_span_id));
  }
  out.key("name").string(span.name);
  out.key("start_time_unix_nano").integer(span.start_ns);
  if (span.end_ns != 0) out.key("end_time_unix_nano").integer(span.end_ns);
  write_attributes(out, "attributes", span.attributes);
  list_if_any(out, "events", span.events, [&](const tracking::SpanEvent& event) {
    out.begin_object().key("time_unix_nano").integer(event.time_ns);
    out.key("name").string(event.name);
    write_attributes(out, "attributes", event.attributes);
    out.end_object();
  });
  list_if_any(out, "links", span.links, [&](const tracking::SpanLink& link) {
    out.begin_object();
    out.key("trace_id")
        .string(tracking::base64_of_hex(
            std::string_view(link.trace_id).substr(link.trace_id.starts_with("tr-") ? 3 : 0)));
    out.key("span_id").string(tracking::base64_of_hex(link.span_id));
    write_attributes(out, "attributes", link.attributes);
    out.end_object();
  });
  out.key("status").begin_object();
  if (!span.status_message.empty()) out.key("message").string(span.status_message);
  if (span.status != tracking::SpanStatus::kUnset) {
    out.key("code").string("STATUS_CODE_" + std::string(name_of(span.status)));
  }
  out.end_object();
  out.end_object();
}

}  // namespace

void write_trace(json::Writer& out, const tracking::Trace& trace) {
  out.key("trace_info");
  write(out, trace.info);
  list_if_any(out, "spans", trace.spans, [&](const auto& span) { write_span(out, span); });
}

void write_v2(json::Writer& out, const TraceInfo& trace) {
  out.begin_object();
  out.key("request_id").string(trace.trace_id.str());
  out.key("experiment_id").string(trace.experiment_id.str());
  out.key("timestamp_ms").integer(trace.request_ms);
  out.key("execution_time_ms").integer(trace.duration_ms.value_or(0));
  out.key("status").string(trace.state == TraceState::kUnspecified ? "TRACE_STATUS_UNSPECIFIED"
                                                                   : name_of(trace.state));
  write_pairs(out, "request_metadata", trace.metadata, kMetadataShownMax);
  write_pairs(out, "tags", trace.tags, kTagShownMax);
  out.end_object();
}

}  // namespace ciclo::api::mlflow
