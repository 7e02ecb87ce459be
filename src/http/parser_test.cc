// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <gtest/gtest.h>

namespace ciclo::http {
namespace {

// The status that a head is refused with; 0 when it is accepted, -1 when more is needed.
int refused(std::string_view text) {
  HeadParser parser(4096);
  switch (parser.look(text)) {
    case HeadParser::Step::kMore: return -1;
    case HeadParser::Step::kDone: return 0;
    case HeadParser::Step::kRefused: return parser.refusal().status;
  }
  return -2;
}

RequestHead head_of(std::string_view text) {
  HeadParser parser(4096);
  EXPECT_EQ(parser.look(text), HeadParser::Step::kDone) << parser.refusal().message;
  return parser.head();
}

// What a chunked body holds, fed in pieces of `step` bytes; nullopt when it is malformed or not
// complete.
std::optional<std::string> chunked(std::string_view wire, std::size_t step) {
  RequestHead head;
  head.chunked = true;
  BodyParser parser;
  parser.start(head);
  std::string body;
  std::size_t begin = 0;
  for (std::size_t end = step; !parser.done() && !parser.failed(); end += step) {
    const auto seen = wire.substr(0, end);
    while (true) {
      const auto part = parser.next(seen.substr(begin));
      begin += part.consumed;
      body += part.data;
      if (part.consumed == 0 || parser.done()) break;
    }
    if (end >= wire.size()) break;
  }
  if (!parser.done()) return std::nullopt;
  return body;
}

TEST(HeadParser, reads_method_target_version_and_fields) {
  const auto head = head_of("GET /a?b=c HTTP/1.1\r\nHost: h:1\r\nA:b \t\r\nEmpty:\r\n\r\nrest");
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/a?b=c");
  EXPECT_EQ(head.headers.get("a"), "b");
  EXPECT_TRUE(head.headers.has("empty"));
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.has_body());
}

TEST(HeadParser, is_the_same_byte_by_byte) {
  const std::string text = "\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";
  HeadParser parser(4096);
  for (std::size_t n = 0; n < text.size(); ++n) {
    ASSERT_EQ(parser.look(std::string_view(text).substr(0, n)), HeadParser::Step::kMore) << n;
  }
  ASSERT_EQ(parser.look(text), HeadParser::Step::kDone);
  EXPECT_EQ(parser.bytes(), text.size());
  EXPECT_EQ(parser.head().content_length, 3U);
}

TEST(HeadParser, the_connection_field_decides_with_the_version) {
  EXPECT_FALSE(head_of("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(head_of("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(head_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
}

TEST(HeadParser, absolute_targets_lose_scheme_and_host) {
  EXPECT_EQ(head_of("GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n").target, "/a?b");
  EXPECT_EQ(head_of("GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n").target, "/");
  EXPECT_EQ(head_of("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n").target, "/?q");
  EXPECT_EQ(refused("GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET a HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refused("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(refused("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
}

// Each line after the request line, and the status it is refused with.
TEST(HeadParser, refuses_what_could_be_read_in_two_ways) {
  const std::vector<std::pair<std::string, int>> cases = {
      {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400},
      {"Transfer-Encoding: gzip, chunked\r\n", 501},
      {"Transfer-Encoding: chunked, chunked\r\n", 501},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501},
      {"Transfer-Encoding: identity\r\n", 501},
      {"Transfer-Encoding: \r\n", 501},
      {"Transfer-Encoding : chunked\r\n", 400},
      {"Content-Length: 1\r\nContent-Length: 2\r\n", 400},
      {"Content-Length: 1, 1\r\n", 400},
      {"Content-Length: 0x1\r\n", 400},
      {"Content-Length: -1\r\n", 400},
      {"Content-Length: 9999999999999999999\r\n", 400},
      {"Content-Length:\r\n", 400},
      {" folded: 1\r\n", 400},
      {"A: b\r\n\tc\r\n", 400},
      {": b\r\n", 400},
      {"A\r\n", 400},
      {"A: b\x01\r\n", 400},
      {std::string("A: b\0\r\n", 7), 400},
      {"A: b\rc\r\n", 400},
      {"Host: other\r\n", 400},
      {"Expect: 200-ok\r\n", 417},
  };
  for (const auto& [line, status] : cases) {
    EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: h\r\n" + line + "\r\n"), status) << line;
  }
  EXPECT_EQ(refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"),
            0);
  EXPECT_EQ(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(HeadParser, refuses_malformed_request_lines_early) {
  for (const auto* text :
       {"\x16", " GET", "GET / HTTP/1.1\n", "\n", "GET /\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n",
        "GET /\x80 HTTP/1.1\r\n\r\n", "GET /a#b HTTP/1.1\r\n\r\n", "GET / http/1.1\r\n\r\n",
        "\r\n\r\n\r\n\r\n\r\n"}) {
    EXPECT_EQ(refused(text), 400) << text;
  }
  EXPECT_EQ(refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(5000, 'a')), 431);
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 300; ++i) many += "a:b\r\n";
  EXPECT_EQ(refused(many + "\r\n"), 431);
}

TEST(BodyParser, reads_chunks_however_they_arrive) {
  const std::string wire = "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n000\r\nT: 1\r\n\r\n";
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    EXPECT_EQ(chunked(wire, step), "abc0123456789") << step;
  }
}

TEST(BodyParser, refuses_malformed_chunks) {
  for (const auto* wire :
       {"g\r\n", "\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\na\r\n", "1\r\nab",
        "1\r\na\n", "1;a\x01\r\na\r\n", "1000000000000000\r\n", "0\r\nT : 1\r\n\r\n", "0\r\n\n"}) {
    EXPECT_EQ(chunked(wire, 1000), std::nullopt) << wire;
  }
  EXPECT_EQ(chunked("1;" + std::string(2000, 'x') + "\r\na\r\n0\r\n\r\n", 1), std::nullopt);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "T: 0123456789\r\n";
  EXPECT_EQ(chunked(trailers + "\r\n", 100), std::nullopt);
}

TEST(FillTarget, decodes_path_and_query) {
  Request request;
  EXPECT_FALSE(fill_target("/a%20b/c?d=e%26f", request).has_value());
  EXPECT_EQ(request.path, "/a b/c");
  EXPECT_EQ(request.query_text, "d=e%26f");
  EXPECT_EQ(request.query_value("d"), "e&f");
  for (const auto* target :
       {"/..", "/a/../b", "/a/%2e%2E", "/./a", "/a%2F..", "/%00", "/%", "/a?%"}) {
    EXPECT_TRUE(fill_target(target, request).has_value()) << target;
  }
}

}  // namespace
}  // namespace ciclo::http
