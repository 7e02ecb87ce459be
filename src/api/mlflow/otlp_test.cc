// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/otlp.h"

#include <gtest/gtest.h>

#include <string>

namespace ciclo::api::mlflow {
namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  return out + static_cast<char>(value);
}
std::string bytes(std::uint32_t number, const std::string& inner) {
  return varint((number << 3) | 2) + varint(inner.size()) + inner;
}
std::string integer(std::uint32_t number, std::uint64_t value) {
  return varint(number << 3) + varint(value);
}
std::string fixed64(std::uint32_t number, std::uint64_t value) {
  std::string out = varint((number << 3) | 1);
  for (int i = 0; i < 8; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
  return out;
}
std::string pair(const std::string& key, const std::string& any) {
  return bytes(1, key) + bytes(2, any);
}

const std::string kTraceId(16, '\x0a');
const std::string kSpanId(8, '\x0b');

std::string span(const std::string& more = {}) {
  return bytes(1, kTraceId) + bytes(2, kSpanId) + bytes(5, "root") + fixed64(7, 1'000) +
         fixed64(8, 2'000) + more;
}
std::string request(const std::string& spans, const std::string& resource = {}) {
  return bytes(1, bytes(1, resource) + bytes(2, spans));
}

TEST(Otlp, reads_a_span_of_protobuf_with_all_that_it_holds) {
  const std::string list = bytes(5, bytes(1, integer(2, 1)) + bytes(1, bytes(1, "x")));
  const std::string map = bytes(6, bytes(1, pair("z", integer(3, 7))));
  const std::string event = fixed64(1, 1'500) + bytes(2, "ev") + bytes(3, pair("e", bytes(1, "v")));
  const std::string link = bytes(1, kTraceId) + bytes(2, kSpanId);
  const std::string status = bytes(2, "bad") + integer(3, 2);
  const auto parsed = parse_otlp(
      request(bytes(2, span(bytes(4, kSpanId) + bytes(9, pair("i", integer(3, ~0ULL))) +
                            bytes(9, pair("d", fixed64(4, 0x3FF8000000000000))) +
                            bytes(9, pair("l", list)) + bytes(9, pair("m", map)) +
                            bytes(9, pair("n", "")) + bytes(9, pair("b", bytes(7, "\xFF"))) +
                            bytes(11, event) + bytes(13, link) + bytes(15, status) + integer(6, 2) +
                            varint((16 << 3) | 5) + "abcd")),
              bytes(1, pair("service.name", bytes(1, "svc")))),
      OtlpEncoding::kProtobuf);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  ASSERT_EQ(parsed->batches.size(), 1U);
  EXPECT_EQ(json::dump(parsed->batches[0].resource), R"({"service.name":"svc"})");
  ASSERT_EQ(parsed->batches[0].spans.size(), 1U);
  const auto& found = parsed->batches[0].spans[0];
  EXPECT_EQ(found.trace_id, "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a");
  EXPECT_EQ(found.parent_span_id, "0b0b0b0b0b0b0b0b");
  EXPECT_EQ(found.start_ns, 1'000);
  EXPECT_EQ(found.end_ns, 2'000);
  EXPECT_EQ(found.status, tracking::SpanStatus::kError);
  EXPECT_EQ(found.status_message, "bad");
  EXPECT_EQ(json::dump(found.attributes),
            R"({"i":-1,"d":1.5,"l":[true,"x"],"m":{"z":7},"n":null,"b":"/w==",)"
            R"("mlflow.traceRequestId":"tr-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"})");
  ASSERT_EQ(found.events.size(), 1U);
  EXPECT_EQ(found.events[0].time_ns, 1'500);
  EXPECT_EQ(json::dump(found.events[0].attributes), R"({"e":"v"})");
  ASSERT_EQ(found.links.size(), 1U);
  EXPECT_EQ(found.links[0].trace_id, "tr-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a");
}

TEST(Otlp, json_says_the_same_as_protobuf) {
  const auto parsed = parse_otlp(R"({"resourceSpans":[{"resource":{"attributes":[
      {"key":"service.name","value":{"stringValue":"svc"}}]},"scopeSpans":[{"spans":[{
      "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","name":"root",
      "startTimeUnixNano":"1000","endTimeUnixNano":2000,"status":{"code":"STATUS_CODE_OK"},
      "attributes":[{"key":"i","value":{"intValue":"5"}},{"key":"d","value":{"doubleValue":1.5}},
        {"key":"l","value":{"arrayValue":{"values":[{"boolValue":true},{}]}}},
        {"key":"m","value":{"kvlistValue":{"values":[{"key":"z","value":{"intValue":1}}]}}}]}]}]}]})",
                                 OtlpEncoding::kJson);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const auto& found = parsed->batches.at(0).spans.at(0);
  EXPECT_EQ(found.trace_id, "5b8efff798038103d269b633813fc60c");
  EXPECT_EQ(found.status, tracking::SpanStatus::kOk);
  EXPECT_EQ(json::dump(found.attributes),
            R"({"i":5,"d":1.5,"l":[true,null],"m":{"z":1},)"
            R"("mlflow.traceRequestId":"tr-5b8efff798038103d269b633813fc60c"})");
}

TEST(Otlp, a_span_without_proper_ids_is_left_out_and_counted) {
  const auto parsed =
      parse_otlp(request(bytes(2, span()) + bytes(2, bytes(1, "short") + bytes(2, kSpanId)) +
                         bytes(2, bytes(1, std::string(16, '\0')) + bytes(2, kSpanId))),
                 OtlpEncoding::kProtobuf);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->batches[0].spans.size(), 1U);
  EXPECT_EQ(parsed->rejected, 2);
  EXPECT_NE(parsed->reason.find("trace_id"), std::string::npos);
  const std::string answer = otlp_response(*parsed, OtlpEncoding::kProtobuf);
  EXPECT_EQ(answer, bytes(1, integer(1, 2) + bytes(2, parsed->reason)));
  EXPECT_TRUE(otlp_response(*parsed, OtlpEncoding::kJson)
                  .starts_with(R"({"partialSuccess":{"rejectedSpans":"2")"));
}

TEST(Otlp, broken_bodies_are_refused) {
  const std::string whole = request(bytes(2, span()));
  for (std::size_t length = 1; length < whole.size(); ++length) {
    const auto parsed = parse_otlp(whole.substr(0, length), OtlpEncoding::kProtobuf);
    EXPECT_FALSE(parsed.ok()) << length;
  }
  for (const std::string& bad : {std::string("\x0b"), std::string("\x00\x00", 2),
                                 std::string(11, '\xFF'), bytes(1, "\x0a\x7f")}) {
    EXPECT_EQ(parse_otlp(bad, OtlpEncoding::kProtobuf).error().code, Code::kInvalidArgument);
  }
  for (const std::string bad : {"", "[]", "{", "nonsense"}) {
    EXPECT_EQ(parse_otlp(bad, OtlpEncoding::kJson).error().code, Code::kInvalidArgument);
  }
}

TEST(Otlp, depth_and_number_of_values_are_bounded) {
  std::string any = bytes(1, "deep");
  for (int i = 0; i < 90; ++i) any = bytes(5, bytes(1, any));
  EXPECT_TRUE(
      parse_otlp(request(bytes(2, span(bytes(9, pair("k", any))))), OtlpEncoding::kProtobuf).ok());
  for (int i = 0; i < 20; ++i) any = bytes(5, bytes(1, any));
  EXPECT_EQ(parse_otlp(request(bytes(2, span(bytes(9, pair("k", any))))), OtlpEncoding::kProtobuf)
                .error()
                .code,
            Code::kResourceExhausted);
  std::string empty_values;
  for (int i = 0; i < 1'000'001; ++i) empty_values += std::string("\x0a\x00", 2);
  EXPECT_EQ(parse_otlp(request(bytes(2, span(bytes(9, pair("k", bytes(5, empty_values)))))),
                       OtlpEncoding::kProtobuf)
                .error()
                .code,
            Code::kResourceExhausted);
}

// Two bytes of a body would be a hundred of memory.
TEST(Otlp, resources_without_spans_are_counted_and_not_kept) {
  std::string empty;
  for (int i = 0; i < 1'000'001; ++i) empty += std::string("\x0a\x00", 2);
  EXPECT_EQ(parse_otlp(empty, OtlpEncoding::kProtobuf).error().code, Code::kResourceExhausted);
  const auto few = parse_otlp(empty.substr(0, 20), OtlpEncoding::kProtobuf);
  ASSERT_TRUE(few.ok());
  EXPECT_TRUE(few->batches.empty());
  EXPECT_TRUE(few->has_resources);
  std::string list = "{}";
  for (int i = 0; i < 1'000'000; ++i) list += ",{}";
  const auto json = parse_otlp("{\"resourceSpans\":[" + list + "]}", OtlpEncoding::kJson);
  EXPECT_EQ(json.error().code, Code::kResourceExhausted);
  EXPECT_FALSE(parse_otlp("{}", OtlpEncoding::kJson)->has_resources);
}

TEST(Otlp, a_span_whose_time_is_no_number_is_left_out) {
  const auto with_start = [](const std::string& start) {
    return parse_otlp(R"({"resourceSpans":[{"scopeSpans":[{"spans":[{
        "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
        "startTimeUnixNano":)" +
                          start + "}]}]}]}",
                      OtlpEncoding::kJson);
  };
  for (const std::string bad : {"\"soon\"", "-1", "\"-1\"", "18446744073709551615",
                                "\"9223372036854775808\"", "1.5", "1e300", "[]", "true"}) {
    const auto parsed = with_start(bad);
    ASSERT_TRUE(parsed.ok()) << bad;
    EXPECT_EQ(parsed->rejected, 1) << bad;
    EXPECT_NE(parsed->reason.find("nanoseconds"), std::string::npos) << bad;
  }
  for (const std::string good : {"null", "0", "\"9223372036854775807\"", "1700000000000000000"}) {
    EXPECT_EQ(with_start(good)->rejected, 0) << good;
  }
}

TEST(Otlp, texts_are_made_storable) {
  const auto parsed =
      parse_otlp(request(bytes(2, span(bytes(9, pair("k", bytes(1, std::string("a\0b\xFF", 4))))))),
                 OtlpEncoding::kProtobuf);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->batches[0].spans[0].attributes.string_or("k", ""),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
}

}  // namespace
}  // namespace ciclo::api::mlflow
