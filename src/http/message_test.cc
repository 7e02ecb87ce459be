// SPDX-License-Identifier: Apache-2.0
#include "http/message.h"

#include <gtest/gtest.h>

namespace ciclo::http {
namespace {

class KeptAnswer : public Reply::Sink {
 public:
  void send(Response response) override { sent.push_back(std::move(response)); }
  std::unique_ptr<Stream> stream(int, Headers) override { return nullptr; }
  void send_file(int, Headers, const std::string&, std::uint64_t, std::uint64_t) override {}
  std::vector<Response> sent;
};

TEST(Headers, names_compare_without_case_and_keep_their_order) {
  Headers headers{{"Content-Type", "a"}, {"X-Two", "1"}, {"x-two", "2"}};
  EXPECT_EQ(headers.get("content-TYPE"), "a");
  EXPECT_EQ(headers.get("X-TWO"), "1");
  EXPECT_FALSE(headers.has("Content"));
  headers.set("X-Two", "3");
  EXPECT_EQ(headers.all().size(), 2U);
  EXPECT_EQ(headers.get("x-two"), "3");
}

TEST(Reply, one_that_is_dropped_answers_500) {
  auto sink = std::make_shared<KeptAnswer>();
  { const Reply reply(sink); }
  ASSERT_EQ(sink->sent.size(), 1U);
  EXPECT_EQ(sink->sent[0].status, 500);
}

TEST(Reply, one_that_was_moved_answers_once) {
  auto sink = std::make_shared<KeptAnswer>();
  {
    Reply first(sink);
    Reply second(std::move(first));
    second.send(Response::text("x"));
  }
  ASSERT_EQ(sink->sent.size(), 1U);
  EXPECT_EQ(sink->sent[0].status, 200);
}

TEST(Percent, decodes_escapes_and_refuses_broken_ones) {
  EXPECT_EQ(percent_decode("a%2Fb%c3%a9+", Plus::kKeep), "a/b\xc3\xa9+");
  EXPECT_EQ(percent_decode("a+b", Plus::kSpace), "a b");
  for (const auto* broken : {"%", "%4", "%zz", "%-1", "a%00"}) {
    EXPECT_EQ(percent_decode(broken, Plus::kKeep), std::nullopt) << broken;
  }
}

TEST(Percent, what_is_encoded_decodes_to_itself) {
  std::string all;
  for (int c = 1; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(percent_decode(percent_encode(all), Plus::kSpace), all);
}

TEST(Query, keeps_repeated_names_in_order_and_empty_values) {
  const auto query = parse_query("a=1&b&a=2&&c=x%26y+z&=v&");
  ASSERT_TRUE(query.has_value());
  Request request;
  request.query = *query;
  EXPECT_EQ(request.query_value("a"), "1");
  EXPECT_EQ(request.query_value("c"), "x&y z");
  EXPECT_EQ(request.query_value("none"), "");
  EXPECT_EQ(query->count("a"), 2U);
  EXPECT_EQ(query->count("b"), 1U);
  EXPECT_EQ(query->find("")->second, "v");
  EXPECT_FALSE(parse_query("a=%").has_value());
}

TEST(EventText, splits_data_into_lines_of_any_ending) {
  EXPECT_EQ(event_text("run", "7", "a\nb\r\nc"),
            "event: run\nid: 7\ndata: a\ndata: b\ndata: c\n\n");
  EXPECT_EQ(event_text("", "", ""), "data: \n\n");
  EXPECT_EQ(event_text("a\nb", "", "x\r"), "event: a\ndata: x\ndata: \n\n");
}

}  // namespace
}  // namespace ciclo::http
