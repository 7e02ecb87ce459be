// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/otlp.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "tracking/span_text.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::Span;
using tracking::SpanBatch;
using tracking::SpanEvent;
using tracking::SpanLink;
using tracking::SpanStatus;

constexpr int kDepthMax = 100;
constexpr std::int64_t kValuesMax = 1'000'000;
constexpr std::size_t kAttributesMax = 1'000;  // of one span
constexpr std::size_t kTraceIdBytes = 16;
constexpr std::size_t kSpanIdBytes = 8;
// MLflow finds the trace of a span by this attribute.
constexpr std::string_view kRequestIdKey = "mlflow.traceRequestId";

// What one request may hold in all.
class Budget {
 public:
  Result<void> take(int depth) {
    if (++values_ > kValuesMax) {
      return resource_exhausted("a request holds at most " + std::to_string(kValuesMax) +
                                " values: send the spans in several");
    }
    if (depth > kDepthMax) {
      return resource_exhausted("a value is nested more than " + std::to_string(kDepthMax) +
                                " deep");
    }
    return {};
  }

 private:
  std::int64_t values_ = 0;
};

// An object whose later members replace earlier ones of the same key.
class ObjectBuilder {
 public:
  void set(std::string key, json::Value value) {
    const auto [at, is_new] = places_.emplace(key, members_.size());
    if (is_new) {
      members_.emplace_back(std::move(key), std::move(value));
    } else {
      members_[at->second].second = std::move(value);
    }
  }
  json::Value take() { return {std::move(members_)}; }

 private:
  json::Value::Object members_;
  std::unordered_map<std::string, std::size_t> places_;
};

// What databases and JSON hold: UTF-8 without NUL, for which U+FFFD stands.
std::string clean(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = text.front() == '\0' ? 0 : utf8_sequence_length(text);
    out += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

// What MLflow writes before the digits of a trace.
const std::string kTraceIdPrefix = "tr-";

bool is_id(std::string_view digits, std::size_t bytes) {
  return digits.size() == 2 * bytes && digits.find_first_not_of('0') != std::string_view::npos &&
         digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Why a span cannot be kept; empty when it can.
std::string problem_of(const Span& span) {
  if (!is_id(span.trace_id, kTraceIdBytes)) return "a trace_id is not 16 bytes, or all zero";
  if (!is_id(span.span_id, kSpanIdBytes)) return "a span_id is not 8 bytes, or all zero";
  if (!span.parent_span_id.empty() && !is_id(span.parent_span_id, kSpanIdBytes)) {
    return "a parent_span_id is not 8 bytes, or all zero";
  }
  if (span.start_ns < 0 || span.end_ns < 0) {
    return "a time is no number of nanoseconds from 0 to 9223372036854775807";
  }
  if (span.attributes.members().size() > kAttributesMax) {
    return "a span has more than " + std::to_string(kAttributesMax) + " attributes";
  }
  return {};
}

void keep(OtlpRequest& request, SpanBatch batch) {
  request.has_resources = true;
  if (!batch.spans.empty()) request.batches.push_back(std::move(batch));
}

void keep(OtlpRequest& request, SpanBatch& batch, Span span) {
  // A link to nothing says nothing.
  std::erase_if(span.links, [](const SpanLink& link) {
    std::string_view trace = link.trace_id;
    if (trace.starts_with(kTraceIdPrefix)) trace.remove_prefix(kTraceIdPrefix.size());
    return !is_id(trace, kTraceIdBytes) || !is_id(link.span_id, kSpanIdBytes);
  });
  const std::string problem = problem_of(span);
  if (problem.empty()) {
    span.attributes[kRequestIdKey] = kTraceIdPrefix + span.trace_id;
    return batch.spans.push_back(std::move(span));
  }
  if (request.rejected++ == 0) request.reason = "span " + quoted(span.name) + ": " + problem;
}

// --- Protobuf's wire format

Error broken(std::string_view what) {
  return invalid_argument("the body is no ExportTraceServiceRequest: " + std::string(what));
}

enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  std::uint32_t number = 0;
  Wire wire = Wire::kVarint;
  std::uint64_t integer = 0;  // of the others
  std::string_view bytes;     // of kBytes
};

// The fields of one message, one by one.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }

  Result<Field> next() {
    TRY(const std::uint64_t tag, varint());
    Field field;
    field.number = static_cast<std::uint32_t>(tag >> 3);
    if (tag >> 3 == 0 || tag >> 3 > 536'870'911) return broken("a field has no valid number");
    field.wire = static_cast<Wire>(tag & 7);
    switch (field.wire) {
      case Wire::kVarint: {
        TRY(field.integer, varint());
        return field;
      }
      case Wire::kFixed64: {
        TRY(field.integer, fixed(8));
        return field;
      }
      case Wire::kFixed32: {
        TRY(field.integer, fixed(4));
        return field;
      }
      case Wire::kBytes: break;
      default: return broken("a field has an unknown wire type");
    }
    TRY(const std::uint64_t length, varint());
    if (length > rest_.size()) return broken("it ends inside a field");
    field.bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return field;
  }

 private:
  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return broken("it ends inside a number");
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) return broken("a number has more than 64 bits");
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return broken("a number has more than 64 bits");
  }

  Result<std::uint64_t> fixed(std::size_t size) {
    if (rest_.size() < size) return broken("it ends inside a number");
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) {
      value = (value << 8) | static_cast<unsigned char>(rest_[i]);
    }
    rest_.remove_prefix(size);
    return value;
  }

  std::string_view rest_;
};

// Calls `take` for each field of the message.
template <class Take>
Result<void> each_field(std::string_view bytes, Take&& take) {
  Message message(bytes);
  while (!message.at_end()) {
    TRY(const Field field, message.next());
    TRY(take(field));
  }
  return {};
}

std::int64_t time_of(std::uint64_t ns) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  return ns > kMax ? -1 : static_cast<std::int64_t>(ns);
}

class ProtobufReader {
 public:
  explicit ProtobufReader(OtlpRequest& request) : request_(request) {}

  Result<void> read(std::string_view body) {
    return each_field(body, [&](const Field& field) -> Result<void> {
      if (!is(field, 1, Wire::kBytes)) return {};
      return read_resource_spans(field.bytes);
    });
  }

 private:
  static bool is(const Field& field, std::uint32_t number, Wire wire) {
    return field.number == number && field.wire == wire;
  }

  Result<void> read_resource_spans(std::string_view bytes) {
    SpanBatch batch;
    TRY(budget_.take(0));
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (is(field, 1, Wire::kBytes)) {
        TRY(batch.resource, attributes(field.bytes, 1));
      } else if (is(field, 2, Wire::kBytes)) {
        return each_field(field.bytes, [&](const Field& inner) -> Result<void> {
          if (!is(inner, 2, Wire::kBytes)) return {};
          TRY(budget_.take(0));
          TRY(auto span, read_span(inner.bytes));
          keep(request_, batch, std::move(span));
          return {};
        });
      }
      return {};
    }));
    keep(request_, std::move(batch));
    return {};
  }

  // The KeyValues in field `number` of a message.
  Result<json::Value> attributes(std::string_view bytes, std::uint32_t number) {
    ObjectBuilder object;
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (!is(field, number, Wire::kBytes)) return {};
      return add_pair(object, field.bytes, 0);
    }));
    return object.take();
  }

  Result<void> add_pair(ObjectBuilder& object, std::string_view bytes, int depth) {
    std::string key;
    json::Value value;
    TRY(budget_.take(depth));
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (is(field, 1, Wire::kBytes)) {
        key = clean(field.bytes);
      } else if (is(field, 2, Wire::kBytes)) {
        TRY(value, any_value(field.bytes, depth + 1));
      }
      return {};
    }));
    object.set(std::move(key), std::move(value));
    return {};
  }

  Result<json::Value> any_value(std::string_view bytes, int depth) {
    json::Value out;
    TRY(budget_.take(depth));
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (is(field, 1, Wire::kBytes)) out = clean(field.bytes);
      if (is(field, 2, Wire::kVarint)) out = field.integer != 0;
      if (is(field, 3, Wire::kVarint)) out = std::bit_cast<std::int64_t>(field.integer);
      if (is(field, 4, Wire::kFixed64)) out = std::bit_cast<double>(field.integer);
      if (is(field, 7, Wire::kBytes)) out = tracking::base64_of_hex(hex(field.bytes));
      if (is(field, 5, Wire::kBytes)) {
        TRY(out, array_value(field.bytes, depth));
      }
      if (is(field, 6, Wire::kBytes)) {
        ObjectBuilder object;
        TRY(each_field(field.bytes, [&](const Field& inner) -> Result<void> {
          return is(inner, 1, Wire::kBytes) ? add_pair(object, inner.bytes, depth) : Result<void>();
        }));
        out = object.take();
      }
      return {};
    }));
    return out;
  }

  Result<json::Value> array_value(std::string_view bytes, int depth) {
    json::Value out = json::Value::array();
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (!is(field, 1, Wire::kBytes)) return {};
      TRY(auto item, any_value(field.bytes, depth + 1));
      out.push_back(std::move(item));
      return {};
    }));
    return out;
  }

  Result<Span> read_span(std::string_view bytes) {
    Span span;
    ObjectBuilder attributes_of_span;
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (field.wire == Wire::kFixed64) {
        if (field.number == 7) span.start_ns = time_of(field.integer);
        if (field.number == 8) span.end_ns = time_of(field.integer);
      }
      if (field.wire != Wire::kBytes) return {};
      switch (field.number) {
        case 1: span.trace_id = hex(field.bytes); break;
        case 2: span.span_id = hex(field.bytes); break;
        case 4: span.parent_span_id = hex(field.bytes); break;
        case 5: span.name = clean(field.bytes); break;
        case 9: return add_pair(attributes_of_span, field.bytes, 0);
        case 11: return read_event(field.bytes, span);
        case 13: return read_link(field.bytes, span);
        case 15: return read_status(field.bytes, span);
        default: break;
      }
      return {};
    }));
    span.attributes = attributes_of_span.take();
    return span;
  }

  Result<void> read_event(std::string_view bytes, Span& span) {
    SpanEvent event;
    TRY(budget_.take(0));
    TRY(event.attributes, attributes(bytes, 3));
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (is(field, 1, Wire::kFixed64))
        event.time_ns = std::max<std::int64_t>(0, time_of(field.integer));
      if (is(field, 2, Wire::kBytes)) event.name = clean(field.bytes);
      return {};
    }));
    span.events.push_back(std::move(event));
    return {};
  }

  Result<void> read_link(std::string_view bytes, Span& span) {
    SpanLink link;
    TRY(budget_.take(0));
    TRY(link.attributes, attributes(bytes, 4));
    TRY(each_field(bytes, [&](const Field& field) -> Result<void> {
      if (is(field, 1, Wire::kBytes)) link.trace_id = kTraceIdPrefix + hex(field.bytes);
      if (is(field, 2, Wire::kBytes)) link.span_id = hex(field.bytes);
      return {};
    }));
    span.links.push_back(std::move(link));
    return {};
  }

  static Result<void> read_status(std::string_view bytes, Span& span) {
    return each_field(bytes, [&](const Field& field) -> Result<void> {
      if (is(field, 2, Wire::kBytes)) span.status_message = clean(field.bytes);
      if (is(field, 3, Wire::kVarint)) {
        span.status = field.integer == 1   ? SpanStatus::kOk
                      : field.integer == 2 ? SpanStatus::kError
                                           : SpanStatus::kUnset;
      }
      return {};
    });
  }

  OtlpRequest& request_;
  Budget budget_;
};

// --- JSON

// Calls `take` for each item of a list that may be missing.
template <class Take>
Result<void> each_item(json::View list, Take&& take) {
  if (!list.has_value() || !list.is_array()) return {};
  Result<void> result;
  list.each_item([&](json::View item) {
    result = take(item);
    return result.ok();
  });
  return result;
}

std::string text_of(json::View value) {
  return value.has_value() && value.is_string() ? clean(value.string()) : std::string();
}

std::optional<std::int64_t> integer_of(json::View value) {
  if (!value.has_value()) return std::nullopt;
  if (value.is_int()) return value.integer();
  return value.is_string() ? parse_int(value.string()) : std::nullopt;
}

// 0 when it is missing, -1 when it is no number of nanoseconds that we can hold.
std::int64_t span_time_of(json::View value) {
  if (!value.has_value() || value.is_null()) return 0;
  return integer_of(value).value_or(-1);
}

class JsonReader {
 public:
  explicit JsonReader(OtlpRequest& request) : request_(request) {}

  Result<void> read(json::View root) {
    if (!root.is_object()) return broken("expected a JSON object");
    return each_item(root.find("resourceSpans"),
                     [&](json::View item) { return read_resource_spans(item); });
  }

 private:
  Result<void> read_resource_spans(json::View item) {
    SpanBatch batch;
    TRY(budget_.take(0));
    if (const json::View resource = item.find("resource"); resource.has_value()) {
      TRY(batch.resource, attributes(resource.find("attributes"), 0));
    }
    TRY(each_item(item.find("scopeSpans"), [&](json::View scope) {
      return each_item(scope.find("spans"), [&](json::View found) -> Result<void> {
        TRY(budget_.take(0));
        TRY(auto span, read_span(found));
        keep(request_, batch, std::move(span));
        return {};
      });
    }));
    keep(request_, std::move(batch));
    return {};
  }

  Result<json::Value> attributes(json::View list, int depth) {
    ObjectBuilder object;
    TRY(each_item(list, [&](json::View pair) -> Result<void> {
      TRY(budget_.take(depth));
      TRY(auto value, any_value(pair.find("value"), depth + 1));
      object.set(text_of(pair.find("key")), std::move(value));
      return {};
    }));
    return object.take();
  }

  Result<json::Value> any_value(json::View value, int depth) {
    TRY(budget_.take(depth));
    json::Value out;
    if (!value.has_value() || !value.is_object()) return out;
    if (const auto text = value.find("stringValue"); text.has_value()) {
      out = text_of(text);
    } else if (const auto flag = value.find("boolValue"); flag.has_value() && flag.is_bool()) {
      out = flag.boolean();
    } else if (const auto integer = integer_of(value.find("intValue"))) {
      out = *integer;
    } else if (const auto number = value.find("doubleValue"); number.has_value()) {
      if (number.is_number()) out = number.number();
      if (number.is_string()) out = text_of(number);  // "NaN", "Infinity"
    } else if (const auto bytes = value.find("bytesValue"); bytes.has_value()) {
      out = text_of(bytes);
    } else if (const auto array = value.find("arrayValue"); array.has_value()) {
      out = json::Value::array();
      TRY(each_item(array.find("values"), [&](json::View inner) -> Result<void> {
        TRY(auto item, any_value(inner, depth + 1));
        out.push_back(std::move(item));
        return {};
      }));
    } else if (const auto list = value.find("kvlistValue"); list.has_value()) {
      TRY(out, attributes(list.find("values"), depth));
    }
    return out;
  }

  Result<Span> read_span(json::View item) {
    Span span;
    span.trace_id = to_lower_ascii(text_of(item.find("traceId")));
    span.span_id = to_lower_ascii(text_of(item.find("spanId")));
    span.parent_span_id = to_lower_ascii(text_of(item.find("parentSpanId")));
    span.name = text_of(item.find("name"));
    span.start_ns = span_time_of(item.find("startTimeUnixNano"));
    span.end_ns = span_time_of(item.find("endTimeUnixNano"));
    TRY(span.attributes, attributes(item.find("attributes"), 0));
    TRY(each_item(item.find("events"), [&](json::View found) -> Result<void> {
      TRY(budget_.take(0));
      SpanEvent event;
      event.name = text_of(found.find("name"));
      event.time_ns = std::max<std::int64_t>(0, integer_of(found.find("timeUnixNano")).value_or(0));
      TRY(event.attributes, attributes(found.find("attributes"), 0));
      span.events.push_back(std::move(event));
      return {};
    }));
    TRY(each_item(item.find("links"), [&](json::View found) -> Result<void> {
      TRY(budget_.take(0));
      SpanLink link;
      link.trace_id = kTraceIdPrefix + to_lower_ascii(text_of(found.find("traceId")));
      link.span_id = to_lower_ascii(text_of(found.find("spanId")));
      TRY(link.attributes, attributes(found.find("attributes"), 0));
      span.links.push_back(std::move(link));
      return {};
    }));
    if (const json::View status = item.find("status"); status.has_value()) {
      span.status_message = text_of(status.find("message"));
      span.status = status_of(status.find("code"));
    }
    return span;
  }

  static SpanStatus status_of(json::View code) {
    const std::string name = text_of(code);
    const auto number = integer_of(code);
    if (number == 1 || name == "STATUS_CODE_OK") return SpanStatus::kOk;
    if (number == 2 || name == "STATUS_CODE_ERROR") return SpanStatus::kError;
    return SpanStatus::kUnset;
  }

  OtlpRequest& request_;
  Budget budget_;
};

// --- Answers

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}

void append_integer(std::string& out, std::uint32_t number, std::uint64_t value) {
  append_varint(out, number << 3);
  append_varint(out, value);
}

void append_bytes(std::string& out, std::uint32_t number, std::string_view bytes) {
  append_varint(out, (number << 3) | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

}  // namespace

Result<OtlpRequest> parse_otlp(std::string_view body, OtlpEncoding encoding) {
  OtlpRequest request;
  if (encoding == OtlpEncoding::kProtobuf) {
    TRY(ProtobufReader(request).read(body));
    return request;
  }
  // Each value of OTLP is two or three levels of JSON.
  auto document = json::Document::parse(body, json::Document::BareWords::kRefuse, 4 * kDepthMax);
  if (!document.ok()) return broken(document.error().message);
  TRY(JsonReader(request).read(document->root()));
  return request;
}

std::string otlp_response(const OtlpRequest& request, OtlpEncoding encoding) {
  if (request.rejected == 0) return encoding == OtlpEncoding::kJson ? "{}" : "";
  std::string out;
  if (encoding == OtlpEncoding::kJson) {
    json::Writer writer(out);
    writer.begin_object().key("partialSuccess").begin_object();
    writer.key("rejectedSpans").string(std::to_string(request.rejected));
    writer.key("errorMessage").string(request.reason).end_object().end_object();
    return out;
  }
  std::string partial;
  append_integer(partial, 1, static_cast<std::uint64_t>(request.rejected));
  append_bytes(partial, 2, request.reason);
  append_bytes(out, 1, partial);
  return out;
}

std::string otlp_error(int code, std::string_view error_code, std::string_view message,
                       OtlpEncoding encoding) {
  std::string out;
  if (encoding == OtlpEncoding::kJson) {
    json::Writer writer(out);
    writer.begin_object().key("error_code").string(error_code);
    writer.key("code").integer(code).key("message").string(message).end_object();
    return out;
  }
  append_integer(out, 1, static_cast<std::uint64_t>(code));
  append_bytes(out, 2, message);
  return out;
}

}  // namespace ciclo::api::mlflow
