// SPDX-License-Identifier: Apache-2.0
#include "tracking/span_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "tracking/limits.h"

namespace ciclo::tracking {

namespace {

constexpr std::size_t kPreviewLengthMax = 1'000;
constexpr std::string_view kEllipsis = "...";

// The shortest digits that read back as the same number, placed as Python's repr does.
std::string float_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  const double size = std::abs(value);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
  char text[40];
  const auto end =
      std::to_chars(text, text + sizeof text, value,
                    is_plain ? std::chars_format::fixed : std::chars_format::scientific)
          .ptr;
  std::string out(text, end);
  if (is_plain && out.find('.') == std::string::npos) out += ".0";
  return out;
}

void append_spaced(const json::Value& value, std::string& out) {
  switch (value.kind()) {
    case json::Kind::kDouble: out += float_text(value.number()); return;
    case json::Kind::kArray: {
      out += '[';
      bool is_first = true;
      for (const auto& item : value.items()) {
        if (!std::exchange(is_first, false)) out += ", ";
        append_spaced(item, out);
      }
      out += ']';
      return;
    }
    case json::Kind::kObject: {
      out += '{';
      bool is_first = true;
      for (const auto& [key, member] : value.members()) {
        if (!std::exchange(is_first, false)) out += ", ";
        out += json::dump(json::Value(key)) + ": ";
        append_spaced(member, out);
      }
      out += '}';
      return;
    }
    default: out += json::dump(value);
  }
}

// A number too large for its kind, or NaN, is read as the word that was written.
Result<json::Value> parse_lenient(std::string_view text) {
  TRY(const auto document, json::Document::parse(text, json::Document::BareWords::kAllow));
  return document.root().to_value();
}

std::string hex_of_base64(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto digit = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    if (digit(c) < 0) break;
    bits = (bits << 6) | static_cast<unsigned>(digit(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += kHex[(bits >> (count + 4)) & 15];
    out += kHex[(bits >> count) & 15];
  }
  return out;
}

constexpr std::array<std::pair<SpanStatus, std::string_view>, 3> kStatusCodes = {{
    {SpanStatus::kUnset, "STATUS_CODE_UNSET"},
    {SpanStatus::kOk, "STATUS_CODE_OK"},
    {SpanStatus::kError, "STATUS_CODE_ERROR"},
}};

SpanStatus status_of(std::string_view code) {
  for (const auto& [status, name] : kStatusCodes) {
    if (name == code) return status;
  }
  return SpanStatus::kUnset;
}

json::Value or_null(const std::string& text) {
  return text.empty() ? json::Value() : json::Value(text);
}

json::Value events_of(const Span& span) {
  json::Value out = json::Value::array();
  for (const auto& event : span.events) {
    out.push_back(json::Value::object({{"name", event.name},
                                       {"time_unix_nano", event.time_ns},
                                       {"attributes", event.attributes}}));
  }
  return out;
}

json::Value links_of(const Span& span) {
  json::Value out = json::Value::array();
  for (const auto& link : span.links) {
    out.push_back(json::Value::object(
        {{"trace_id", link.trace_id},
         {"span_id", link.span_id},
         {"attributes", link.attributes.members().empty() ? json::Value() : link.attributes}}));
  }
  return out;
}

json::Value object_or_empty(const json::Value* value) {
  return value != nullptr && value->is_object() ? *value : json::Value::object();
}

// The list of messages in what a chat was asked or answered, in the forms of OpenAI's interfaces.
const json::Value* messages_of(const json::Value& value) {
  if (!value.is_object()) return nullptr;
  for (const std::string_view key : {"messages", "input", "output"}) {
    const json::Value* list = value.find(key);
    if (list != nullptr && list->is_array() && !list->items().empty()) return list;
  }
  const json::Value* request = value.find("request");
  return request == nullptr ? nullptr : messages_of(*request);
}

bool is_message(const json::Value& item) {
  return item.find("role") != nullptr && item.find("content") != nullptr;
}

const json::Value* chosen_message(const json::Value& value) {
  const json::Value* choices = value.find("choices");
  if (choices == nullptr || !choices->is_array() || choices->items().empty()) return nullptr;
  const json::Value* message = choices->items().front().find("message");
  return message != nullptr && is_message(*message) ? message : nullptr;
}

const json::Value* last_message(const json::Value& value, std::string_view role) {
  if (const json::Value* message = chosen_message(value)) return message;
  const json::Value* list = messages_of(value);
  if (list == nullptr) return nullptr;
  const json::Value* last = nullptr;
  const json::Value* last_of_role = nullptr;
  for (const auto& item : list->items()) {
    if (!is_message(item)) continue;
    last = &item;
    if (item.string_or("role", "") == role) last_of_role = &item;
  }
  return last_of_role != nullptr ? last_of_role : last;
}

std::string content_of(const json::Value& message) {
  const json::Value* content = message.find("content");
  if (content->is_string()) return content->string();
  if (!content->is_array()) return {};
  for (const auto& part : content->items()) {
    if (part.is_string()) return part.string();
    const std::string type = part.string_or("type", "");
    if (type == "text" || type == "output_text") return part.string_or("text", "");
  }
  return {};
}

}  // namespace

std::string base64_of_hex(std::string_view hex) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto digit = [](char c) -> unsigned {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    return c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10) : 0;
  };
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bits = (bits << 8) | (digit(hex[i]) << 4) | digit(hex[i + 1]);
    for (count += 8; count >= 6; count -= 6) out += kDigits[(bits >> (count - 6)) & 63];
  }
  if (count > 0) out += kDigits[(bits << (6 - count)) & 63];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::string spaced_json(const json::Value& value) {
  std::string out;
  append_spaced(value, out);
  return out;
}

std::string attribute_json(const json::Value& value) {
  if (value.is_string()) {
    const auto inner = parse_lenient(value.string());
    if (inner.ok() && (inner->is_string() || inner->is_array() || inner->is_object())) {
      return value.string();
    }
  }
  return spaced_json(value);
}

std::string attribute_text(const json::Value& value) {
  const std::string text = attribute_json(value);
  const auto inner = parse_lenient(text);
  return inner.ok() && inner->is_string() ? inner->string() : text;
}

std::string span_content(const Span& span) {
  json::Value attributes = json::Value::object();
  for (const auto& [key, value] : span.attributes.members()) {
    attributes.members().emplace_back(key, attribute_json(value));
  }
  std::string_view code;
  for (const auto& [status, name] : kStatusCodes) {
    if (status == span.status) code = name;
  }
  return spaced_json(json::Value::object({
      {"trace_id", base64_of_hex(span.trace_id)},
      {"span_id", base64_of_hex(span.span_id)},
      {"parent_span_id", or_null(base64_of_hex(span.parent_span_id))},
      {"name", span.name},
      {"start_time_unix_nano", span.start_ns},
      {"end_time_unix_nano", span.end_ns},
      {"events", events_of(span)},
      {"status", json::Value::object({{"code", code}, {"message", or_null(span.status_message)}})},
      {"attributes", std::move(attributes)},
      {"links", links_of(span)},
  }));
}

Result<Span> parse_span_content(std::string_view content) {
  auto parsed = parse_lenient(content);
  if (!parsed.ok() || !parsed->is_object()) return data_loss("a stored span is no JSON object");
  Span span;
  span.trace_id = hex_of_base64(parsed->string_or("trace_id", ""));
  span.span_id = hex_of_base64(parsed->string_or("span_id", ""));
  span.parent_span_id = hex_of_base64(parsed->string_or("parent_span_id", ""));
  span.name = parsed->string_or("name", "");
  span.start_ns = parsed->integer_or("start_time_unix_nano", 0);
  span.end_ns = parsed->integer_or("end_time_unix_nano", 0);
  const json::Value status = object_or_empty(parsed->find("status"));
  span.status = status_of(status.string_or("code", ""));
  span.status_message = status.string_or("message", "");
  const json::Value attributes = object_or_empty(parsed->find("attributes"));
  for (const auto& [key, value] : attributes.members()) {
    if (!value.is_string()) return data_loss("a stored attribute is no text of JSON");
    auto inner = parse_lenient(value.string());
    span.attributes.members().emplace_back(key, inner.ok() ? std::move(*inner) : value);
  }
  if (const json::Value* events = parsed->find("events"); events != nullptr && events->is_array()) {
    for (const auto& event : events->items()) {
      span.events.push_back({event.string_or("name", ""), event.integer_or("time_unix_nano", 0),
                             object_or_empty(event.find("attributes"))});
    }
  }
  if (const json::Value* links = parsed->find("links"); links != nullptr && links->is_array()) {
    for (const auto& link : links->items()) {
      span.links.push_back({link.string_or("trace_id", ""), link.string_or("span_id", ""),
                            object_or_empty(link.find("attributes"))});
    }
  }
  return span;
}

std::string preview_of(const std::string& text, std::string_view role) {
  std::string shown = text;
  if (const auto parsed = parse_lenient(text); parsed.ok() && parsed->is_object()) {
    if (const json::Value* message = last_message(*parsed, role)) {
      std::string content = content_of(*message);
      if (!content.empty()) shown = std::move(content);
    }
  }
  if (length_of(shown) <= kPreviewLengthMax) return shown;
  return std::string(cut_to(shown, kPreviewLengthMax - kEllipsis.size())) + std::string(kEllipsis);
}

}  // namespace ciclo::tracking
