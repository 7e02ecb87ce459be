// SPDX-License-Identifier: Apache-2.0
#include "tracking/span_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/json.h"

namespace ciclo::tracking {
namespace {

json::Value parsed(std::string_view text) {
  const auto value = json::parse(text);
  EXPECT_TRUE(value.ok()) << text;
  return value.ok() ? *value : json::Value();
}

// Expected texts are those of Python 3.11's json.dumps(…, ensure_ascii=False).
TEST(SpanText, json_is_spaced_as_python_writes_it) {
  EXPECT_EQ(spaced_json(parsed(R"({"a":[1,2.0,null,true,"ä\n"],"b":{}})")),
            R"({"a": [1, 2.0, null, true, "ä\n"], "b": {}})");
  for (const auto& [value, text] :
       {std::pair(1e15, "1000000000000000.0"), std::pair(1e16, "1e+16"), std::pair(1e-4, "0.0001"),
        std::pair(1e-5, "1e-05"), std::pair(100000.0, "100000.0"), std::pair(-0.5, "-0.5"),
        std::pair(1.5e300, "1.5e+300")}) {
    EXPECT_EQ(spaced_json(json::Value(value)), text);
  }
  EXPECT_EQ(spaced_json(json::Value(std::numeric_limits<double>::infinity())), "Infinity");
}

TEST(SpanText, an_attribute_written_twice_is_stored_once) {
  EXPECT_EQ(attribute_json("x"), R"("x")");
  EXPECT_EQ(attribute_json(R"({"q": 1})"), R"({"q": 1})");
  EXPECT_EQ(attribute_json(R"("x")"), R"("x")");
  EXPECT_EQ(attribute_json("5"), R"("5")");
  EXPECT_EQ(attribute_json(5), "5");
  EXPECT_EQ(attribute_text("x"), "x");
  EXPECT_EQ(attribute_text(5), "5");
}

TEST(SpanText, a_span_is_read_back_as_it_was_written) {
  Span span;
  span.trace_id = "5b8efff798038103d269b633813fc60c";
  span.span_id = "eee19b7ec3c1b174";
  span.parent_span_id = "00000000000000ff";
  span.name = "a \"name\"";
  span.start_ns = 1'700'000'000'000'000'001;
  span.end_ns = 1'700'000'000'000'000'002;
  span.status = SpanStatus::kError;
  span.status_message = "bad";
  span.attributes = parsed(R"({"i":1,"d":1.5,"s":"x","o":{"a":[1]},"n":null})");
  span.events = {{"e", 7, parsed(R"({"x":1})")}};
  span.links = {{"tr-5b8efff798038103d269b633813fc60d", "eee19b7ec3c1b175", parsed("{}")}};
  const std::string content = span_content(span);
  EXPECT_TRUE(content.starts_with(
      R"({"trace_id": "W47/95gDgQPSabYzgT/GDA==", "span_id": "7uGbfsPBsXQ=", )"))
      << content;
  const auto again = parse_span_content(content);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->trace_id, span.trace_id);
  EXPECT_EQ(again->parent_span_id, span.parent_span_id);
  EXPECT_EQ(again->start_ns, span.start_ns);
  EXPECT_EQ(json::dump(again->attributes), json::dump(span.attributes));
  EXPECT_EQ(span_content(*again), content);
  EXPECT_EQ(parse_span_content("[]").error().code, Code::kDataLoss);
}

TEST(SpanText, a_preview_is_the_last_message_of_a_chat_or_the_beginning) {
  EXPECT_EQ(preview_of("plain", "user"), "plain");
  EXPECT_EQ(preview_of(R"({"messages":[{"role":"user","content":"hi"},
                           {"role":"assistant","content":"x"}]})",
                       "user"),
            "hi");
  EXPECT_EQ(
      preview_of(R"({"choices":[{"message":{"role":"assistant","content":"yes"}}]})", "assistant"),
      "yes");
  EXPECT_EQ(
      preview_of(R"({"input":[{"role":"u","content":[{"type":"text","text":"t"}]}]})", "user"),
      "t");
  EXPECT_EQ(preview_of(std::string(1'001, 'x'), "user"), std::string(997, 'x') + "...");
  EXPECT_EQ(preview_of(R"({"messages":[]})", "user"), R"({"messages":[]})");
}

}  // namespace
}  // namespace ciclo::tracking
