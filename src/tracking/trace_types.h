// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tracking/types.h"

// The nouns of tracing, with MLflow's meanings. A trace is what one request to an application did;
// its spans are the pieces of work, each inside its parent. Plain values; their fields are what a
// call that is sent again is answered from (sql/once.h).

namespace ciclo::tracking {

using TraceId = Id<struct TraceTag>;  // "tr-" and 32 hexadecimal digits, or a client's own
using AssessmentId = Id<struct AssessmentTag>;  // "a-" and 32 hexadecimal digits

enum class TraceState { kUnspecified, kOk, kError, kInProgress };

// "STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS".
std::string_view name_of(TraceState state);
std::optional<TraceState> parse_trace_state(std::string_view name);
std::span<const std::string_view> enum_names(TraceState);

enum class AssessmentKind { kFeedback, kExpectation, kIssue };

// "feedback", "expectation", "issue".
std::string_view name_of(AssessmentKind kind);
std::span<const std::string_view> enum_names(AssessmentKind);

// What somebody, or some program, says about a trace or one of its spans.
struct Assessment {
  AssessmentId assessment_id;
  TraceId trace_id;
  AssessmentKind kind = AssessmentKind::kFeedback;
  std::string name;                  // of an issue, its id
  json::Value value;                 // of an issue, {"issue_name": …}
  std::optional<json::Value> error;  // {"error_code", "error_message", "stack_trace"}
  std::string source_type;           // "HUMAN", "LLM_JUDGE", "CODE"
  std::string source_id;
  std::string run_id;  // of the run that assessed; may be empty
  std::optional<std::string> span_id;
  std::optional<std::string> rationale;
  std::optional<std::string> overrides;  // the assessment that this one replaces
  bool is_valid = true;                  // false once another one replaces it
  std::vector<Tag> metadata;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;

  // The value is written as a text, for it may be as deeply nested as a document can be.
  template <class V>
  void fields(V& v) {
    std::string value_json = json::dump(value, json::NonFinite::kString);
    v("assessment_id", assessment_id);
    v("trace_id", trace_id);
    v("kind", kind);
    v("name", name);
    v("value_json", value_json);
    v("error", error);
    v("source_type", source_type);
    v("source_id", source_id);
    v("run_id", run_id);
    v("span_id", span_id);
    v("rationale", rationale);
    v("overrides", overrides);
    v("is_valid", is_valid);
    v("metadata", metadata);
    v("created_ms", created_ms);
    v("updated_ms", updated_ms);
    if (auto parsed = json::parse(value_json); parsed.ok()) value = std::move(*parsed);
  }
};

struct TraceInfo {
  TraceId trace_id;
  ExperimentId experiment_id;
  std::optional<std::string> client_request_id;
  TraceState state = TraceState::kUnspecified;
  std::int64_t request_ms = 0;
  std::optional<std::int64_t> duration_ms;
  std::optional<std::string> request_preview;
  std::optional<std::string> response_preview;
  std::vector<Tag> metadata;  // what does not change: run, session, user, token usage
  std::vector<Tag> tags;      // what may: name, places of the spans
  std::vector<Assessment> assessments;

  template <class V>
  void fields(V& v) {
    v("trace_id", trace_id);
    v("experiment_id", experiment_id);
    v("client_request_id", client_request_id);
    v("state", state);
    v("request_ms", request_ms);
    v("duration_ms", duration_ms);
    v("request_preview", request_preview);
    v("response_preview", response_preview);
    v("metadata", metadata);
    v("tags", tags);
    v("assessments", assessments);
  }
};

enum class SpanStatus { kUnset, kOk, kError };

// "UNSET", "OK", "ERROR".
std::string_view name_of(SpanStatus status);

struct SpanEvent {
  std::string name;
  std::int64_t time_ns = 0;
  json::Value attributes = json::Value::object();
};

struct SpanLink {
  std::string trace_id;  // "tr-…"
  std::string span_id;   // 16 hexadecimal digits
  json::Value attributes = json::Value::object();
};

struct Span {
  std::string trace_id;        // 32 hexadecimal digits, without "tr-"
  std::string span_id;         // 16 hexadecimal digits
  std::string parent_span_id;  // empty: a root
  std::string name;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;  // 0: not ended
  SpanStatus status = SpanStatus::kUnset;
  std::string status_message;
  json::Value attributes = json::Value::object();
  std::vector<SpanEvent> events;
  std::vector<SpanLink> links;
};

// Spans that came together from one resource: a service, a process.
struct SpanBatch {
  json::Value resource = json::Value::object();  // its attributes
  std::vector<Span> spans;
};

struct Trace {
  TraceInfo info;
  std::vector<Span> spans;  // roots first, then by start
};

}  // namespace ciclo::tracking
