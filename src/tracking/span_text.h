// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "tracking/trace_types.h"

// Spans as the texts that are stored, in MLflow's form of them (3.17), so that its page of a trace
// and filters such as span.content LIKE '%"model": "x"%' find what they expect.

namespace ciclo::tracking {

// JSON as Python's json.dumps writes it: ", " and ": " between, floats with a point.
std::string spaced_json(const json::Value& value);

// An attribute's value as JSON. A text that is itself JSON of a text, list or object is taken for
// one that was written twice, as clients of MLflow do.
std::string attribute_json(const json::Value& value);
// The same as a filter compares it: a text without its quotes.
std::string attribute_text(const json::Value& value);

// The whole span as JSON, its attributes as texts of JSON.
std::string span_content(const Span& span);
// data_loss for a text that span_content has not written.
Result<Span> parse_span_content(std::string_view content);

// What is shown of a root span's inputs or outputs: at most 1,000 characters of them, or of the
// last message with that role where they are messages of a chat.
std::string preview_of(const std::string& text, std::string_view role);

// Bytes written as hexadecimal digits, in base64.
std::string base64_of_hex(std::string_view hex);

}  // namespace ciclo::tracking
