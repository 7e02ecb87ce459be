// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <stdexcept>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "http/codec.h"
#include "http/raw_client.h"

namespace ciclo::http {
namespace {

std::string body_of(const std::string& response) {
  const auto end = response.find("\r\n\r\n");
  return end == std::string::npos ? std::string("no response") : response.substr(end + 4);
}

std::string field_of(const std::string& response, std::string_view name) {
  const auto begin = response.find("\r\n" + std::string(name) + ": ");
  if (begin == std::string::npos || begin > response.find("\r\n\r\n")) return "none";
  const auto value = begin + name.size() + 4;
  return response.substr(value, response.find("\r\n", value) - value);
}

std::string status_of(const std::string& response) {
  return response.substr(0, response.find("\r\n"));
}

std::string get(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(fields) + "\r\n";
}

std::string post(std::string_view target, std::string_view body, std::string_view fields = {}) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

// Opens once; the test decides when.
class Gate {
 public:
  void open() { opened_.set_value(); }
  void wait() { future_.wait(); }

 private:
  std::promise<void> opened_;
  std::shared_future<void> future_ = opened_.get_future().share();
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    options_.access_log = false;
    options_.workers = 4;
    const auto echo = [](Request& request, Reply reply) {
      auto body = request.body->all();
      if (!body.ok()) return reply.send(Response::text(body.error().message, 400));
      reply.send(Response::text(std::string(*body)));
    };
    router_.add("GET", "/hello",
                [](Request&, Reply reply) { reply.send(Response::text("hello")); });
    router_.add("GET", "/loop", [](Request&, Reply reply) { reply.send(Response::text("loop")); },
                {.run_on = RunOn::kLoop});
    router_.add("POST", "/echo", echo, {.body_bytes_max = 1 << 20});
    router_.add("POST", "/echo-loop", echo, {.run_on = RunOn::kLoop, .body_bytes_max = 1 << 20});
    router_.add("POST", "/echo-stream", echo, {.body_bytes_max = 64 << 20, .stream_body = true});
    router_.add("GET", "/throw", [](Request&, Reply) { throw std::runtime_error("of the test"); });
    router_.add("GET", "/forget", [](Request&, Reply) {});
    router_.add("GET", "/path/{rest*}", [](Request& request, Reply reply) {
      reply.send(
          Response::text(std::string(request.path_value("rest")) + "|" + request.query_text));
    });
  }

  void start() { start(clock_); }
  // On the clock of the test, which stands until the test moves it.
  void start_simulated() { start(time_); }
  void start(Clock& clock) {
    auto server = Server::start(router_, clock, random_, options_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
  }

  // The answer to one request on its own connection.
  std::string ask(std::string_view request) {
    RawClient client(server_->address());
    client.send(request);
    return client.read_response();
  }

  SystemClock clock_;
  SimClock time_;  // of the tests of time limits
  SystemRandom random_;
  Router router_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, answers_with_length_date_server_and_request_id) {
  start();
  const auto answer = ask(get("/hello"));
  EXPECT_EQ(status_of(answer), "HTTP/1.1 200 OK");
  EXPECT_EQ(body_of(answer), "hello");
  EXPECT_EQ(field_of(answer, "Content-Length"), "5");
  EXPECT_EQ(field_of(answer, "Server"), "ciclo");
  EXPECT_TRUE(field_of(answer, "Date").ends_with(" GMT"));
  EXPECT_EQ(field_of(answer, "X-Request-Id").size(), 32U);
  EXPECT_EQ(field_of(answer, "Connection"), "none");
}

TEST_F(ServerTest, keeps_a_sane_request_id_and_replaces_another) {
  start();
  EXPECT_EQ(field_of(ask(get("/hello", "X-Request-Id: abc-1\r\n")), "X-Request-Id"), "abc-1");
  EXPECT_EQ(field_of(ask(get("/hello", "X-Request-Id: a b\"\r\n")), "X-Request-Id").size(), 32U);
}

TEST_F(ServerTest, serves_many_requests_on_one_connection) {
  start();
  RawClient client(server_->address());
  for (int i = 0; i < 50; ++i) {
    client.send(get(i % 2 == 0 ? "/hello" : "/loop"));
    EXPECT_EQ(body_of(client.read_response()), i % 2 == 0 ? "hello" : "loop");
  }
}

TEST_F(ServerTest, answers_pipelined_requests_in_order) {
  start();
  RawClient client(server_->address());
  std::string all;
  for (int i = 0; i < 200; ++i) {
    all += i % 3 == 0 ? get("/path/" + std::to_string(i))
                      : post(i % 3 == 1 ? "/echo" : "/echo-loop", "b" + std::to_string(i));
  }
  client.send(all);
  for (int i = 0; i < 200; ++i) {
    const std::string wanted = i % 3 == 0 ? std::to_string(i) + "|" : "b" + std::to_string(i);
    ASSERT_EQ(body_of(client.read_response()), wanted);
  }
}

TEST_F(ServerTest, reads_a_request_that_comes_byte_by_byte) {
  start();
  RawClient client(server_->address());
  for (const char c : post("/echo", "slow")) client.send(std::string_view(&c, 1));
  EXPECT_EQ(body_of(client.read_response()), "slow");
}

TEST_F(ServerTest, reads_chunked_bodies_with_extensions_and_trailers) {
  start();
  const std::string request =
      " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=\"1\"\r\nhello\r\n06\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n";
  for (const auto* path : {"/echo", "/echo-loop", "/echo-stream"}) {
    EXPECT_EQ(body_of(ask("POST " + std::string(path) + request)), "hello world") << path;
  }
}

TEST_F(ServerTest, decodes_encoded_bodies) {
  start();
  const std::string text(100'000, 'x');
  for (const auto coding : {Coding::kGzip, Coding::kDeflate, Coding::kZstd}) {
    const std::string field = "Content-Encoding: " + std::string(coding_name(coding)) + "\r\n";
    for (const auto* path : {"/echo", "/echo-loop", "/echo-stream"}) {
      EXPECT_EQ(body_of(ask(post(path, encode(coding, text), field))), text)
          << path << " " << field;
    }
  }
  EXPECT_EQ(status_of(ask(post("/echo", "x", "Content-Encoding: br\r\n"))),
            "HTTP/1.1 415 Unsupported Media Type");
  EXPECT_EQ(status_of(ask(post("/echo", "no gzip", "Content-Encoding: gzip\r\n"))),
            "HTTP/1.1 400 Bad Request");
  // 2 MiB of zeros in 2 kB, over the route's limit of 1 MiB.
  EXPECT_EQ(status_of(ask(post("/echo", encode(Coding::kGzip, std::string(2 << 20, '0')),
                               "Content-Encoding: gzip\r\n"))),
            "HTTP/1.1 413 Content Too Large");
}

TEST_F(ServerTest, compresses_what_is_large_and_text_for_those_who_accept_it) {
  const std::string text(5000, 'a');
  router_.add("GET", "/large", [&](Request&, Reply reply) {
    Response response = Response::json(text);
    response.headers.set("ETag", "\"1\"");
    reply.send(std::move(response));
  });
  router_.add("GET", "/binary", [&](Request&, Reply reply) {
    reply.send({200, {{"Content-Type", "image/png"}}, text});
  });
  start();
  const auto zstd = ask(get("/large", "Accept-Encoding: gzip, zstd\r\n"));
  EXPECT_EQ(field_of(zstd, "Content-Encoding"), "zstd");
  EXPECT_EQ(field_of(zstd, "Vary"), "Accept-Encoding");
  EXPECT_EQ(field_of(zstd, "ETag"), "W/\"1\"");
  const auto gzip = ask(get("/large", "Accept-Encoding: gzip, zstd;q=0\r\n"));
  EXPECT_EQ(field_of(gzip, "Content-Encoding"), "gzip");
  std::string decoded;
  auto decoder = Decoder::create(Coding::kGzip);
  ASSERT_TRUE(decoder
                  ->feed(body_of(gzip),
                         [&](std::string_view piece) -> Result<void> {
                           decoded += piece;
                           return {};
                         })
                  .ok());
  EXPECT_EQ(decoded, text);
  EXPECT_EQ(field_of(ask(get("/large")), "Content-Encoding"), "none");
  EXPECT_EQ(field_of(ask(get("/hello", "Accept-Encoding: gzip\r\n")), "Content-Encoding"), "none");
  EXPECT_EQ(field_of(ask(get("/binary", "Accept-Encoding: gzip\r\n")), "Content-Encoding"), "none");
}

TEST_F(ServerTest, head_has_the_length_and_no_body) {
  start();
  RawClient client(server_->address());
  client.send("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n" + get("/loop"));
  const auto head = client.read_until("\r\n\r\n");
  EXPECT_EQ(field_of(head, "Content-Length"), "5");
  EXPECT_EQ(body_of(client.read_response()), "loop");
}

TEST_F(ServerTest, expect_100_continue_is_answered_before_the_body) {
  start();
  for (const auto* path : {"/echo", "/echo-stream"}) {
    RawClient client(server_->address());
    client.send("POST " + std::string(path) +
                " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    EXPECT_EQ(body_of(client.read_response()), "body");
  }
}

TEST_F(ServerTest, a_refused_expectation_never_sees_continue) {
  start();
  RawClient client(server_->address());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n");
  const auto answer = client.read_all();
  EXPECT_EQ(status_of(answer), "HTTP/1.1 413 Content Too Large");
  EXPECT_EQ(field_of(answer, "Connection"), "close");
}

TEST_F(ServerTest, refuses_bodies_over_the_limit_of_the_route) {
  // The refused client gets as long as it takes to have sent the rest.
  start_simulated();
  const std::string large(1'100'000, 'x');
  RawClient client(server_->address());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10c8e0\r\n");
  client.send(large);
  EXPECT_EQ(status_of(client.read_all()), "HTTP/1.1 413 Content Too Large");
}

TEST_F(ServerTest, a_streamed_body_slows_the_client_down_instead_of_filling_memory) {
  Gate gate;
  std::atomic<std::size_t> total{0};
  router_.add("POST", "/slow",
              [&](Request& request, Reply reply) {
                gate.wait();
                const auto read = request.body->read([&](std::string_view piece) -> Result<void> {
                  total += piece.size();
                  return {};
                });
                reply.send(Response::text(read.ok() ? "ok" : read.error().message));
              },
              {.body_bytes_max = 256 << 20, .stream_body = true});
  start();
  constexpr std::size_t kBytes = 48 << 20;
  RawClient client(server_->address());
  client.send("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kBytes) +
              "\r\n\r\n");
  std::atomic<std::size_t> sent{0};
  std::thread sender([&] {
    const std::string piece(1 << 20, 'x');
    while (sent < kBytes && client.send(piece)) sent += piece.size();
  });
  gate.open();
  sender.join();
  EXPECT_EQ(body_of(client.read_response()), "ok");
  EXPECT_EQ(total, kBytes);
}

TEST_F(ServerTest, a_streamed_answer_arrives_in_pieces_and_whole) {
  router_.add("GET", "/stream", [](Request&, Reply reply) {
    auto stream = reply.stream(200, {{"Content-Type", "application/octet-stream"}});
    const std::string piece(100'000, 'y');
    for (int i = 0; i < 100; ++i) {
      if (!stream->write(piece).ok()) return;
    }
    EXPECT_TRUE(stream->finish().ok());
  });
  start();
  RawClient client(server_->address());
  client.send(get("/stream") + get("/hello"));
  const auto answer = client.read_response();
  EXPECT_EQ(field_of(answer, "Transfer-Encoding"), "chunked");
  EXPECT_EQ(std::ranges::count(body_of(answer), 'y'), 10'000'000);
  EXPECT_EQ(body_of(client.read_response()), "hello");
}

TEST_F(ServerTest, a_stream_of_known_length_and_one_to_http_1_0_are_not_chunked) {
  router_.add("GET", "/known", [](Request&, Reply reply) {
    auto stream = reply.stream(200, {{"Content-Length", "4"}});
    EXPECT_TRUE(stream->write("four").ok());
    EXPECT_FALSE(stream->write("x").ok());
    EXPECT_TRUE(stream->finish().ok());
  });
  router_.add("GET", "/unknown", [](Request&, Reply reply) {
    auto stream = reply.stream(200, {});
    EXPECT_TRUE(stream->write("all").ok());
    EXPECT_TRUE(stream->finish().ok());
  });
  start();
  EXPECT_EQ(body_of(ask(get("/known"))), "four");
  RawClient client(server_->address());
  client.send("GET /unknown HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(client.read_all()), "all");
}

TEST_F(ServerTest, a_stream_that_is_dropped_cuts_the_connection) {
  router_.add("GET", "/dropped", [](Request&, Reply reply) {
    auto stream = reply.stream(200, {});
    EXPECT_TRUE(stream->write("part").ok());
  });
  start();
  log::configure(log::Level::kOff, log::Format::kAuto);
  RawClient client(server_->address());
  client.send(get("/dropped"));
  EXPECT_TRUE(client.read_all().ends_with("\r\n\r\n4\r\npart\r\n"));
  log::configure(log::Level::kInfo, log::Format::kAuto);
}

TEST_F(ServerTest, events_reach_the_client_one_by_one_and_end_when_it_goes) {
  std::promise<void> ended;
  router_.add("GET", "/events", [&](Request&, Reply reply) {
    auto stream = reply.stream(200, {{"Content-Type", "text/event-stream"}});
    EXPECT_TRUE(stream->write(event_text("run", "1", "a")).ok());
    while (!stream->closed()) std::this_thread::yield();
    ended.set_value();
  });
  start();
  {
    RawClient client(server_->address());
    client.send(get("/events", "Accept-Encoding: gzip\r\n"));
    client.read_until("\r\n\r\n");
    EXPECT_NE(client.read_until("data: a\n\n"), "");
  }
  ended.get_future().wait();
}

TEST_F(ServerTest, a_parked_reply_is_answered_by_another_thread) {
  std::promise<Reply> parked;
  router_.add("GET", "/parked", [&](Request&, Reply reply) { parked.set_value(std::move(reply)); },
              {.run_on = RunOn::kLoop});
  start();
  RawClient client(server_->address());
  client.send(get("/parked"));
  Reply reply = parked.get_future().get();
  reply.send(Response::text("later"));
  EXPECT_EQ(body_of(client.read_response()), "later");
}

TEST_F(ServerTest, a_reply_may_outlive_its_client_and_the_server) {
  std::promise<Reply> parked;
  router_.add("GET", "/parked", [&](Request&, Reply reply) { parked.set_value(std::move(reply)); });
  start();
  RawClient client(server_->address());
  client.send(get("/parked"));
  Reply reply = parked.get_future().get();
  server_.reset();
  reply.send(Response::text("nobody listens"));
}

TEST_F(ServerTest, a_handler_that_throws_or_forgets_answers_500) {
  log::configure(log::Level::kOff, log::Format::kAuto);
  start();
  RawClient client(server_->address());
  client.send(get("/throw") + get("/forget") + get("/hello"));
  EXPECT_EQ(status_of(client.read_response()), "HTTP/1.1 500 Internal Server Error");
  EXPECT_EQ(status_of(client.read_response()), "HTTP/1.1 500 Internal Server Error");
  EXPECT_EQ(body_of(client.read_response()), "hello");
  log::configure(log::Level::kInfo, log::Format::kAuto);
}

TEST_F(ServerTest, sends_a_part_of_a_file) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "file";
  std::string content;
  for (int i = 0; i < 500'000; ++i) content += std::to_string(i) + "\n";
  ASSERT_TRUE(write_file_durably(path, content).ok());
  router_.add("GET", "/file", [&](Request&, Reply reply) {
    reply.send_file(206, {{"Content-Type", "text/plain"}}, path, 10, content.size() - 20);
  });
  router_.add("GET", "/too-long",
              [&](Request&, Reply reply) { reply.send_file(200, {}, path, 10, content.size()); });
  start();
  RawClient client(server_->address());
  client.send(get("/file") + "HEAD /file HTTP/1.1\r\nHost: x\r\n\r\n" + get("/hello"));
  EXPECT_TRUE(body_of(client.read_response()) == content.substr(10, content.size() - 20));
  EXPECT_EQ(field_of(client.read_until("\r\n\r\n"), "Content-Length"),
            std::to_string(content.size() - 20));
  EXPECT_EQ(body_of(client.read_response()), "hello");
  log::configure(log::Level::kOff, log::Format::kAuto);
  EXPECT_EQ(status_of(ask(get("/too-long"))), "HTTP/1.1 500 Internal Server Error");
  log::configure(log::Level::kInfo, log::Format::kAuto);
}

TEST_F(ServerTest, unknown_paths_and_methods_take_the_shape_of_the_protocol) {
  router_.set_error_shape("/path", [](const Request&, int status, std::string_view message) {
    return Response::text("shape: " + std::string(message), status);
  });
  start();
  RawClient client(server_->address());
  client.send(post("/nothing", "body") + post("/path/x", "") +
              "OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n" +
              "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body_of(client.read_response()), "{\"error\":\"there is nothing at /nothing\"}\n");
  const auto wrong = client.read_response();
  EXPECT_EQ(status_of(wrong), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(field_of(wrong, "Allow"), "GET, HEAD, OPTIONS");
  EXPECT_TRUE(body_of(wrong).starts_with("shape: "));
  EXPECT_EQ(field_of(client.read_response(), "Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(status_of(client.read_response()), "HTTP/1.1 204 No Content");
}

TEST_F(ServerTest, absolute_targets_and_queries_are_understood) {
  start();
  EXPECT_EQ(body_of(ask(get("http://example.org/path/a?b=c"))), "a|b=c");
}

TEST_F(ServerTest, malformed_requests_are_refused_and_the_connection_closed) {
  start();
  for (const auto* request : {
           "GET /hello HTTP/1.1\r\n\r\n",                           // no Host
           "GET /hello HTTP/1.1\nHost: x\n\n",                      // bare LF
           "GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n",                // control character
           "GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n",               // two blanks
           "GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",  // folded
           "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n",               // blank in a name
           "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: "
           "chunked\r\n\r\n",
           "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
           "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nbody",
           "\x16\x03\x01\x02",  // TLS to a plain port
       }) {
    RawClient client(server_->address());
    client.send(request);
    const auto answer = client.read_all();
    EXPECT_EQ(status_of(answer), "HTTP/1.1 400 Bad Request") << request;
    EXPECT_EQ(field_of(answer, "Connection"), "close") << request;
  }
}

TEST_F(ServerTest, bad_chunks_are_refused) {
  start();
  for (const auto* chunks : {"x\r\n", "5\nhello\r\n", "5\r\nhelloX", "fffffffffffffffff\r\n",
                             "-1\r\n", "0x5\r\n", "5 \r\n", "\r\n"}) {
    RawClient client(server_->address());
    client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                std::string(chunks));
    EXPECT_EQ(status_of(client.read_all()), "HTTP/1.1 400 Bad Request") << chunks;
  }
}

TEST_F(ServerTest, paths_that_climb_or_hold_nul_are_refused) {
  start();
  for (const auto* path :
       {"/path/../x", "/path/%2e%2e/x", "/path/a%2F..%2Fb", "/path/%00", "/path/%zz"}) {
    EXPECT_EQ(status_of(ask(get(path))), "HTTP/1.1 400 Bad Request") << path;
  }
}

TEST_F(ServerTest, large_headers_are_refused) {
  options_.header_bytes_max = 4096;
  start();
  EXPECT_EQ(body_of(ask(get("/hello", "A: " + std::string(3900, 'a') + "\r\n"))), "hello");
  EXPECT_EQ(status_of(ask(get("/hello", "A: " + std::string(5000, 'a') + "\r\n"))),
            "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_F(ServerTest, a_client_that_closes_its_side_gets_its_answer) {
  start();
  for (const auto* path : {"/echo", "/echo-loop", "/echo-stream"}) {
    RawClient client(server_->address());
    client.send(post(path, "half"));
    client.close_sending();
    EXPECT_EQ(body_of(client.read_all()), "half") << path;
  }
}

TEST_F(ServerTest, a_client_that_goes_in_the_middle_of_a_body_fails_the_reader) {
  std::promise<void> running;
  std::promise<Code> code;
  router_.add("POST", "/aborted",
              [&](Request& request, Reply) {
                running.set_value();
                const auto body = request.body->all();
                code.set_value(body.ok() ? Code::kInternal : body.error().code);
              },
              {.stream_body = true});
  start();
  RawClient client(server_->address());
  client.send("POST /aborted HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome");
  running.get_future().wait();
  client.reset();
  EXPECT_EQ(code.get_future().get(), Code::kUnavailable);
}

TEST_F(ServerTest, a_client_that_goes_fails_the_writer) {
  std::promise<Code> code;
  router_.add("GET", "/endless", [&](Request&, Reply reply) {
    auto stream = reply.stream(200, {});
    const std::string piece(64 << 10, 'x');
    Result<void> written;
    while (written.ok()) written = stream->write(piece);
    code.set_value(written.error().code);
  });
  start();
  {
    RawClient client(server_->address());
    client.send(get("/endless"));
    client.read_bytes(100'000);
  }
  EXPECT_EQ(code.get_future().get(), Code::kUnavailable);
}

TEST_F(ServerTest, http_1_0_closes_unless_asked_to_stay) {
  start();
  RawClient client(server_->address());
  client.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /loop HTTP/1.0\r\n\r\n");
  EXPECT_EQ(field_of(client.read_response(), "Connection"), "keep-alive");
  EXPECT_EQ(body_of(client.read_all()), "loop");
}

TEST_F(ServerTest, a_full_queue_is_answered_503_at_once) {
  options_.workers = 1;
  options_.queue_max = 1;
  Gate gate;
  std::promise<void> running;
  router_.add("GET", "/wait", [&](Request&, Reply reply) {
    gate.wait();
    reply.send(Response::text("done"));
  });
  router_.add("GET", "/first", [&](Request&, Reply reply) {
    running.set_value();
    gate.wait();
    reply.send(Response::text("first"));
  });
  start();
  RawClient first(server_->address());
  first.send(get("/first"));
  running.get_future().wait();
  // One waits in the queue; of the others on the same loop none can.
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_->address()));
    clients.back()->send(get("/wait"));
  }
  while (server_->stats().refused < 3) std::this_thread::yield();
  EXPECT_EQ(body_of(ask(get("/loop"))), "loop");
  gate.open();
  int refused = 0;
  for (auto& client : clients) {
    const auto answer = client->read_response();
    if (status_of(answer) != "HTTP/1.1 503 Service Unavailable") continue;
    ++refused;
    EXPECT_EQ(field_of(answer, "Retry-After"), "1");
  }
  EXPECT_EQ(refused, 3);
}

TEST_F(ServerTest, connections_over_the_limit_are_turned_away) {
  options_.connections_max = 1;
  start();
  RawClient first(server_->address());
  first.send(get("/hello"));
  first.read_response();
  RawClient second(server_->address());
  EXPECT_EQ(status_of(second.read_all()), "HTTP/1.1 503 Service Unavailable");
  first.send(get("/hello"));
  EXPECT_EQ(body_of(first.read_response()), "hello");
}

TEST_F(ServerTest, a_deadline_comes_with_the_context) {
  options_.request_timeout = std::chrono::hours(1);
  router_.add("GET", "/deadline", [&](Request& request, Reply reply) {
    reply.send(Response::text(request.context.deadline_ns > clock_.monotonic_ns() ? "yes" : "no"));
  });
  start();
  EXPECT_EQ(body_of(ask(get("/deadline"))), "yes");
}

TEST_F(ServerTest, what_streams_either_way_has_no_deadline) {
  options_.request_timeout = std::chrono::hours(1);
  router_.add("POST", "/upload",
              [](Request& request, Reply reply) {
                reply.send(Response::text(std::to_string(request.context.deadline_ns)));
              },
              {.stream_body = true});
  router_.add("GET", "/download", [](Request& request, Reply reply) {
    EXPECT_NE(request.context.deadline_ns, 0);
    auto stream = reply.stream(200, {{"Content-Length", "1"}});
    EXPECT_TRUE(stream->write(std::to_string(request.context.deadline_ns)).ok());
    EXPECT_TRUE(stream->finish().ok());
  });
  start();
  EXPECT_EQ(body_of(ask(post("/upload", "x"))), "0");
  EXPECT_EQ(body_of(ask(get("/download"))), "0");
}

TEST_F(ServerTest, a_route_without_a_limit_takes_the_servers) {
  options_.body_bytes_max = 1000;
  options_.upload_bytes_max = 2000;
  const auto length = [](Request& request, Reply reply) {
    const auto body = request.body->all();
    reply.send(body.ok() ? Response::text("ok") : Response::text(body.error().message, 413));
  };
  router_.add("POST", "/whole", length);
  router_.add("POST", "/upload", length, {.stream_body = true});
  start();
  EXPECT_EQ(body_of(ask(post("/whole", std::string(1000, 'x')))), "ok");
  EXPECT_EQ(body_of(ask(post("/upload", std::string(2000, 'x')))), "ok");
  for (const auto& request :
       {post("/whole", std::string(1001, 'x')), post("/upload", std::string(2001, 'x'))}) {
    EXPECT_EQ(status_of(ask(request)), "HTTP/1.1 413 Content Too Large");
  }
}

TEST_F(ServerTest, whole_bodies_share_one_budget_and_give_it_back) {
  options_.buffered_bytes_max = 100'000;
  Gate gate;
  std::promise<void> running;
  router_.add("POST", "/hold", [&](Request&, Reply reply) {
    running.set_value();
    gate.wait();
    reply.send(Response::text("held"));
  });
  start();
  RawClient holder(server_->address());
  holder.send(post("/hold", std::string(60'000, 'x')));
  running.get_future().wait();
  EXPECT_EQ(server_->stats().body_bytes_held, 60'000U);
  const std::string large = post("/echo", std::string(50'000, 'y'));
  const auto refused = ask(large);
  EXPECT_EQ(status_of(refused), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(field_of(refused, "Retry-After"), "1");
  // What decodes to more than it was is counted as what it became.
  EXPECT_EQ(status_of(ask(post("/echo", encode(Coding::kGzip, std::string(50'000, 'y')),
                               "Content-Encoding: gzip\r\n"))),
            "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(body_of(ask(post("/echo", "small"))), "small");
  EXPECT_EQ(body_of(ask(post("/echo-stream", std::string(200'000, 'z')))).size(), 200'000U);
  gate.open();
  EXPECT_EQ(body_of(holder.read_response()), "held");
  while (server_->stats().body_bytes_held != 0) std::this_thread::yield();
  EXPECT_EQ(body_of(ask(large)).size(), 50'000U);
}

TEST_F(ServerTest, each_request_leaves_one_line_without_its_query) {
  options_.access_log = true;
  start();
  testing::internal::CaptureStderr();
  const auto answer = ask(get("/path/a?secret=1", "X-Request-Id: id-1\r\n"));
  server_.reset();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(log, '\n'), 1) << log;
  EXPECT_NE(log.find("id-1"), std::string::npos) << log;
  EXPECT_NE(log.find("/path/{rest*}"), std::string::npos) << log;
  EXPECT_EQ(log.find("secret"), std::string::npos) << log;
}

TEST_F(ServerTest, an_address_that_is_taken_is_refused) {
  start();
  options_.listen = server_->address();
  const auto second = Server::start(router_, clock_, random_, options_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  options_.listen = "nonsense";
  EXPECT_EQ(Server::start(router_, clock_, random_, options_).error().code, Code::kInvalidArgument);
}

// Time limits run on the clock of the test; the server looks at it every few milliseconds.
class ServerTimeTest : public ServerTest {
 protected:
  ServerTimeTest() {
    options_.header_timeout = std::chrono::milliseconds(20);
    options_.body_timeout = std::chrono::milliseconds(60'000);
    options_.idle_timeout = std::chrono::milliseconds(120'000);
  }
};

TEST_F(ServerTimeTest, a_header_that_drips_is_answered_408) {
  // Time runs on before the first byte is seen, which must not pass for an idle connection.
  options_.idle_timeout = std::chrono::hours(24 * 365);
  start_simulated();
  RawClient client(server_->address());
  client.send(get("/hello"));
  client.read_response();
  client.send("GET /hello HTTP/1.1\r\nHost:");
  std::thread clock([&] {
    // The server may not have seen the first byte yet, so time goes on until it has.
    while (server_->stats().requests < 2) {
      time_.advance_ms(15);
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(status_of(client.read_all()), "HTTP/1.1 408 Request Timeout");
  clock.join();
}

TEST_F(ServerTimeTest, a_body_that_stops_is_answered_408) {
  start_simulated();
  RawClient client(server_->address());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n");
  client.read_until("\r\n\r\n");
  time_.advance_ms(60'001);
  EXPECT_EQ(status_of(client.read_all()), "HTTP/1.1 408 Request Timeout");
}

TEST_F(ServerTimeTest, a_body_that_trickles_ends_its_handler) {
  options_.body_rate_min = 1000;
  options_.body_rate_grace = std::chrono::milliseconds(20'000);
  std::promise<Code> code;
  std::atomic<std::size_t> bytes{0};
  router_.add("POST", "/upload",
              [&](Request& request, Reply reply) {
                const auto read = request.body->read([&](std::string_view piece) -> Result<void> {
                  bytes += piece.size();
                  return {};
                });
                code.set_value(read.ok() ? Code::kInternal : read.error().code);
                reply.send(Response::text("too slow", 408));
              },
              {.stream_body = true});
  start_simulated();
  RawClient client(server_->address());
  client.send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  // A fast beginning pays for no slow end.
  const std::string quick(500'000, 'x');
  client.send(quick);
  std::size_t sent = quick.size();
  while (bytes < sent) std::this_thread::yield();
  // Each byte comes well within body_timeout.
  auto ended = code.get_future();
  std::int64_t passed_ms = 0;
  while (ended.wait_for(std::chrono::milliseconds(2)) != std::future_status::ready) {
    ASSERT_LT(passed_ms, 600'000);
    client.send("x");
    ++sent;
    while (bytes < sent && ended.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
      std::this_thread::yield();
    time_.advance_ms(1'000);
    passed_ms += 1'000;
  }
  EXPECT_EQ(ended.get(), Code::kDeadlineExceeded);
  EXPECT_GE(passed_ms, 20'000);
}

TEST_F(ServerTimeTest, a_body_at_the_least_rate_is_read_to_its_end) {
  options_.body_rate_min = 1000;
  options_.body_rate_grace = std::chrono::milliseconds(20'000);
  std::atomic<std::size_t> bytes{0};
  router_.add("POST", "/upload",
              [&](Request& request, Reply reply) {
                const auto read = request.body->read([&](std::string_view piece) -> Result<void> {
                  bytes += piece.size();
                  return {};
                });
                reply.send(Response::text(read.ok() ? "ok" : read.error().message));
              },
              {.stream_body = true});
  start_simulated();
  RawClient client(server_->address());
  client.send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
  for (std::size_t sent = 10'000; sent <= 200'000; sent += 10'000) {
    client.send(std::string(10'000, 'x'));
    while (bytes < sent) std::this_thread::yield();
    time_.advance_ms(9'000);
  }
  EXPECT_EQ(body_of(client.read_response()), "ok");
}

TEST_F(ServerTimeTest, a_slow_handler_is_not_the_clients_fault) {
  options_.loops = 1;
  options_.body_rate_min = 1000;
  options_.body_rate_grace = std::chrono::milliseconds(20'000);
  Gate gate;
  router_.add("POST", "/upload",
              [&](Request& request, Reply reply) {
                gate.wait();
                const auto body = request.body->all();
                reply.send(Response::text(body.ok() ? "ok" : body.error().message));
              },
              {.stream_body = true});
  start_simulated();
  RawClient idle(server_->address());
  idle.send(get("/hello"));
  idle.read_response();
  RawClient client(server_->address());
  // More than the pipe takes, so that it is full, and no more than what the kernel takes besides,
  // so that all is sent although nobody reads it.
  ASSERT_TRUE(client.send(post("/upload", std::string(350'000, 'x'))));
  // The only loop takes turns among its connections, so by then it has filled the pipe.
  for (int i = 0; i < 50; ++i) EXPECT_EQ(body_of(ask(get("/loop"))), "loop");
  // An hour in which the handler does nothing; the idle connection shows that time was looked at.
  time_.advance_ms(3'600'000);
  EXPECT_EQ(idle.read_all(), "");
  gate.open();
  EXPECT_EQ(body_of(client.read_response()), "ok");
}

// A client that waits to be told to continue waits for a worker; its time begins when it is told.
class ServerContinueTest : public ServerTimeTest {
 protected:
  ServerContinueTest() {
    options_.body_rate_min = 1000;
    options_.body_rate_grace = std::chrono::milliseconds(20'000);
    options_.workers = 1;
    options_.loops = 1;
    router_.add("GET", "/wait", [this](Request&, Reply reply) {
      waiting_.open();
      gate_.wait();
      reply.send(Response::text("waited"));
    });
  }
  // Sends the head while the only worker is busy, and frees the worker an hour later.
  void wait_an_hour_for_the_worker(RawClient& client) {
    RawClient idle(server_->address());
    idle.send(get("/hello"));
    idle.read_response();
    RawClient busy(server_->address());
    busy.send(get("/wait"));
    waiting_.wait();
    client.send(
        "POST /echo-stream HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
        "4\r\n\r\n");
    while (server_->stats().requests < 3) std::this_thread::yield();
    EXPECT_EQ(body_of(ask(get("/loop"))), "loop");  // the only loop is through with the head
    time_.advance_ms(3'600'000);
    EXPECT_EQ(idle.read_all(), "");  // which shows that time was looked at
    gate_.open();
    EXPECT_EQ(status_of(client.read_until("\r\n\r\n")), "HTTP/1.1 100 Continue");
  }

  Gate waiting_;
  Gate gate_;
};

TEST_F(ServerContinueTest, a_client_may_wait_for_a_worker_to_tell_it_to_continue) {
  start_simulated();
  RawClient client(server_->address());
  wait_an_hour_for_the_worker(client);
  time_.advance_ms(19'000);
  client.send("body");
  EXPECT_EQ(body_of(client.read_response()), "body");
}

TEST_F(ServerContinueTest, a_client_that_sends_nothing_once_told_to_continue_is_too_slow) {
  start_simulated();
  RawClient client(server_->address());
  wait_an_hour_for_the_worker(client);
  time_.advance_ms(20'001);
  EXPECT_EQ(body_of(client.read_response()), "the request body did not arrive in time");
}

TEST_F(ServerTimeTest, an_idle_connection_is_closed) {
  start_simulated();
  RawClient client(server_->address());
  client.send(get("/hello"));
  client.read_response();
  time_.advance_ms(120'001);
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(ServerTimeTest, a_client_that_does_not_read_is_cut) {
  std::promise<void> running;
  std::promise<Code> code;
  router_.add("GET", "/endless", [&](Request&, Reply reply) {
    running.set_value();
    auto stream = reply.stream(200, {});
    const std::string piece(256 << 10, 'x');
    Result<void> written;
    while (written.ok()) written = stream->write(piece);
    code.set_value(written.error().code);
  });
  start_simulated();
  RawClient client(server_->address());
  client.send(get("/endless"));
  running.get_future().wait();  // before, the connection would count as idle
  auto ended = code.get_future();
  // The limit counts from the last byte that the client's window took; time goes on until it has
  // passed.
  while (ended.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready)
    time_.advance_ms(20'000);
  EXPECT_EQ(ended.get(), Code::kUnavailable);
}

TEST_F(ServerTest, drain_answers_what_is_under_way_and_closes_the_rest) {
  Gate gate;
  std::promise<void> running;
  router_.add("GET", "/wait", [&](Request&, Reply reply) {
    running.set_value();
    gate.wait();
    reply.send(Response::text("done"));
  });
  start();
  RawClient idle(server_->address());
  idle.send(get("/hello"));
  idle.read_response();
  RawClient busy(server_->address());
  busy.send(get("/wait"));
  running.get_future().wait();
  auto drained = std::async(std::launch::async, [&] { server_->drain(std::chrono::seconds(60)); });
  EXPECT_EQ(idle.read_all(), "");
  gate.open();
  const auto answer = busy.read_all();
  EXPECT_EQ(body_of(answer), "done");
  EXPECT_EQ(field_of(answer, "Connection"), "close");
  drained.wait();
  EXPECT_EQ(server_->stats().connections_open, 0U);
}

TEST_F(ServerTest, drain_under_load_loses_no_request_that_was_answered_in_part) {
  start();
  std::atomic<int> broken{0};
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    // Connected here: a thread that begins late must not meet a server that takes nobody any more.
    clients.emplace_back([&, connected = std::make_unique<RawClient>(server_->address())] {
      RawClient& client = *connected;
      while (true) {
        if (!client.send(post("/echo", "payload"))) return;
        const auto answer = client.read_response();
        // Nothing at all: the connection was idle for the server. Anything else must be whole.
        if (answer.empty()) return;
        ++(body_of(answer) == "payload" ? answered : broken);
        if (field_of(answer, "Connection") == "close") return;
      }
    });
  }
  while (answered < 500) std::this_thread::yield();
  server_->drain(std::chrono::seconds(60));
  for (auto& client : clients) client.join();
  EXPECT_EQ(broken, 0);
  EXPECT_EQ(server_->stats().connections_open, 0U);
}

TEST_F(ServerTest, a_client_that_goes_cancels_the_work) {
  std::promise<void> running;
  std::promise<Code> code;
  router_.add("GET", "/work", [&](Request& request, Reply) {
    running.set_value();
    Result<void> wanted;
    while (wanted.ok()) wanted = request.context.check_deadline(clock_);
    code.set_value(wanted.error().code);
  });
  start();
  RawClient client(server_->address());
  client.send(get("/work"));
  running.get_future().wait();
  client.reset();
  EXPECT_EQ(code.get_future().get(), Code::kCancelled);
}

TEST_F(ServerTest, the_end_of_the_drain_cancels_the_work) {
  std::promise<void> running;
  std::promise<Code> code;
  router_.add("GET", "/work", [&](Request& request, Reply) {
    running.set_value();
    Result<void> wanted;
    while (wanted.ok()) wanted = request.context.check_deadline(clock_);
    code.set_value(wanted.error().code);
  });
  start();
  RawClient client(server_->address());
  client.send(get("/work"));
  running.get_future().wait();
  auto ended = code.get_future();
  server_->drain(std::chrono::milliseconds(20));
  // While it may still be answered, it is not cancelled.
  EXPECT_EQ(ended.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  server_.reset();
  EXPECT_EQ(ended.get(), Code::kCancelled);
}

TEST_F(ServerTest, stopping_with_work_under_way_ends_it) {
  std::promise<void> running;
  router_.add("GET", "/endless", [&](Request&, Reply reply) {
    auto stream = reply.stream(200, {});
    running.set_value();
    while (stream->write("x").ok()) {
    }
  });
  start();
  RawClient client(server_->address());
  client.send(get("/endless"));
  running.get_future().wait();
  server_.reset();
}

}  // namespace
}  // namespace ciclo::http
