// SPDX-License-Identifier: Apache-2.0
#include "pipeline/observer.h"

#include <limits>

#include "base/json_fields.h"
#include "base/text.h"

namespace ciclo::pipeline {
namespace {

// All members that any kind of message has.
struct Line {
  std::string kind;
  double done = 0;
  double total = 0;
  std::string message;
  std::string port;
  std::string key;
  json::Value value;
  std::int64_t step = 0;
  std::optional<std::int64_t> timestamp;
  std::string code;

  template <class V>
  void fields(V& v) {
    v("kind", kind);
    v.or_default("done", done);
    v.or_default("total", total);
    v.or_default("message", message);
    v.or_default("port", port);
    v.or_default("key", key);
    v.or_default("value", value);
    v.or_default("step", step);
    v("timestamp", timestamp);
    v.or_default("code", code);
  }
};

std::optional<double> number_of(const json::Value& value) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (value.is_number()) return value.number();
  if (!value.is_string()) return std::nullopt;
  if (value.string() == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (value.string() == "Infinity") return kInfinity;
  if (value.string() == "-Infinity") return -kInfinity;
  return std::nullopt;
}

Result<StepMessage> metric(const Line& line, StepMessage message) {
  const auto number = number_of(line.value);
  if (!number) {
    return invalid_argument("metric " + quoted(line.key) + ": value must be a number, got " +
                            json::dump(line.value));
  }
  message.kind = StepMessage::Kind::kMetric;
  message.number = *number;
  message.step = line.step;
  message.time_ms = line.timestamp;
  return message;
}

Result<StepMessage> text_message(StepMessage::Kind kind, const Line& line, StepMessage message) {
  message.kind = kind;
  message.text = line.value.is_string() ? line.value.string() : json::dump(line.value);
  return message;
}

}  // namespace

Result<StepMessage> parse_step_message(std::string_view text) {
  TRY(const Line line, json::read<Line>(text));
  StepMessage message;
  message.key = line.key;
  if (line.kind == "progress") {
    message.kind = StepMessage::Kind::kProgress;
    message.progress = {.done = line.done, .total = line.total, .message = line.message};
    return message;
  }
  if (line.kind == "error") {
    message.kind = StepMessage::Kind::kError;
    message.code = line.code;
    message.text = line.message;
    return message;
  }
  if (line.kind != "metric" && line.kind != "param" && line.kind != "tag" &&
      line.kind != "property") {
    return invalid_argument("unknown kind of message " + quoted(line.kind));
  }
  if (line.key.empty()) return invalid_argument("a " + line.kind + " needs a key");
  if (line.kind == "metric") return metric(line, std::move(message));
  if (line.kind == "param")
    return text_message(StepMessage::Kind::kParam, line, std::move(message));
  if (line.kind == "tag") return text_message(StepMessage::Kind::kTag, line, std::move(message));
  message.kind = StepMessage::Kind::kProperty;
  message.port = line.port;
  message.value = line.value;
  return message;
}

}  // namespace ciclo::pipeline
