// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tracking/store_traces.h"
#include "tracking/trace_types.h"

// What spans that came in one request say about their traces. All of it is read before the
// transaction begins: on SQLite one thread runs the transactions of everybody, and the JSON of
// large spans would keep it from the others. Pure functions.

namespace ciclo::tracking {

// The spans of one trace in one request.
struct ArrivedTrace {
  TraceId trace_id;  // "tr-…"
  std::vector<store::SpanRow> rows;
  std::int64_t start_ms = 0;
  std::optional<std::int64_t> end_ms;  // nullopt while none has ended
  // What the root span says, once it has come.
  std::optional<TraceState> state;
  std::optional<std::string> request_preview;
  std::optional<std::string> response_preview;
  // Of any span.
  std::optional<std::string> session;
  std::optional<std::string> user;
  bool has_usage = false;
  bool has_cost = false;
  std::vector<Tag> tags;  // of the resource and the root span
};

// By id. invalid_argument for more than 10,000 spans.
Result<std::vector<ArrivedTrace>> arrived_traces(std::span<const SpanBatch> batches);

// Attributes of spans whose sum over a trace is metadata of it.
inline constexpr std::string_view kSpanUsage = "mlflow.chat.tokenUsage";
inline constexpr std::string_view kSpanCost = "mlflow.llm.cost";

// The sum of an object of numbers over the spans of a trace; nullopt when none has it. Some
// libraries repeat the sum of the children in their parent: below a span that has the attribute,
// none counts. Takes time linear in the number of spans, whatever parents they name.
std::optional<json::Value> sum_of_spans(std::span<const store::SpanValue> spans);

}  // namespace ciclo::tracking
