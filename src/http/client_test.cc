// SPDX-License-Identifier: Apache-2.0
#include "http/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "http/certificate.h"
#include "http/server.h"
#include "http/test_port.h"

namespace ciclo::http {
namespace {

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    // Some handlers here cut their answer off, which the server would report.
    log::configure(log::Level::kOff, log::Format::kAuto);
    server_options_.access_log = false;
    client_options_.backoff = std::chrono::milliseconds(1);
    client_options_.response_bytes_max = 1 << 20;
    router_.add("GET", "/hello", [](Request& request, Reply reply) {
      reply.send(Response::text("hello " + std::string(request.headers.get("X-Test"))));
    });
    for (const auto* method : {"POST", "PUT", "PATCH", "DELETE"}) {
      router_.add(method, "/echo",
                  [](Request& request, Reply reply) {
                    auto body = request.body->all();
                    ASSERT_TRUE(body.ok()) << body.error().message;
                    reply.send(Response::text(request.method + " " + std::string(*body)));
                  },
                  {.body_bytes_max = 64 << 20, .stream_body = true});
      router_.add(method, "/busy",
                  [this](Request&, Reply reply) { answer_busy(std::move(reply)); });
    }
    router_.add("GET", "/busy", [this](Request&, Reply reply) { answer_busy(std::move(reply)); });
    router_.add("GET", "/large", [](Request&, Reply reply) {
      auto stream = reply.stream(200, {});
      const std::string piece(100'000, 'x');
      for (int i = 0; i < 50; ++i) {
        if (!stream->write(piece).ok()) return;
      }
      EXPECT_TRUE(stream->finish().ok());
    });
    router_.add("GET", "/cut", [this](Request&, Reply reply) {
      ++calls_;
      auto stream = reply.stream(200, {{"Content-Length", "100"}});
      EXPECT_TRUE(stream->write("part").ok());
    });
    router_.add("GET", "/redirect", [](Request&, Reply reply) {
      reply.send({302, {{"Location", "file:///etc/passwd"}}, {}});
    });
  }

  ~ClientTest() override { log::configure(log::Level::kInfo, log::Format::kAuto); }

  // 503 twice, then 200.
  void answer_busy(Reply reply) {
    if (++calls_ < 3) return reply.send({503, {{"Retry-After", "0"}}, "busy"});
    reply.send(Response::text("at last"));
  }

  void start() {
    auto server = Server::start(router_, clock_, random_, server_options_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
    client_ = Client::create(random_, client_options_);
  }

  std::string url(const std::string& path) const { return "http://" + server_->address() + path; }

  SystemClock clock_;
  SeededRandom random_{1};
  Router router_;
  ServerOptions server_options_;
  ClientOptions client_options_;
  std::atomic<int> calls_{0};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, sends_fields_and_reads_the_answer) {
  start();
  const auto answer = client_->call({.url = url("/hello"), .headers = {{"X-Test", "you"}}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "hello you");
  EXPECT_EQ(answer->headers.get("server"), "ciclo");
}

TEST_F(ClientTest, line_breaks_in_a_field_do_not_make_another) {
  start();
  const auto answer =
      client_->call({.url = url("/hello"), .headers = {{"X-Test", "a\r\nHost: evil"}}});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kInvalidArgument);
}

TEST_F(ClientTest, all_methods_carry_their_body) {
  start();
  for (const std::string method : {"POST", "PUT", "PATCH", "DELETE"}) {
    for (const std::string& body : {std::string(), std::string("b"), std::string(3'000'000, 'x')}) {
      client_options_.response_bytes_max = 8 << 20;
      client_ = Client::create(random_, client_options_);
      const auto answer = client_->call({.method = method, .url = url("/echo"), .body = body});
      ASSERT_TRUE(answer.ok()) << answer.error().message;
      EXPECT_TRUE(answer->body == method + " " + body) << method;
    }
  }
}

TEST_F(ClientTest, connections_are_used_again) {
  start();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client_->call({.url = url("/hello")}).ok());
  EXPECT_EQ(server_->stats().connections_open, 1U);
}

TEST_F(ClientTest, many_threads_share_it) {
  start();
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 20; ++n) {
          const auto answer = client_->call({.url = url("/hello")});
          if (answer.ok() && answer->status == 200) ++good;
        }
      });
    }
  }
  EXPECT_EQ(good, 160);
}

TEST_F(ClientTest, what_may_be_repeated_is_repeated) {
  start();
  EXPECT_EQ(client_->call({.url = url("/busy")})->body, "at last");
  EXPECT_EQ(calls_, 3);
  calls_ = 0;
  EXPECT_EQ(client_->call({.method = "PUT", .url = url("/busy")})->body, "at last");
  calls_ = 0;
  EXPECT_EQ(client_->call({.method = "POST", .url = url("/busy"), .idempotent = true})->body,
            "at last");
}

TEST_F(ClientTest, a_post_is_not_repeated_unless_the_caller_says_so) {
  start();
  const auto answer = client_->call({.method = "POST", .url = url("/busy")});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(calls_, 1);
}

TEST_F(ClientTest, an_answer_that_is_cut_is_an_error_after_all_attempts) {
  start();
  const auto answer = client_->call({.url = url("/cut")});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(calls_, client_options_.attempts_max);
}

TEST_F(ClientTest, a_stream_is_not_repeated_once_a_piece_was_delivered) {
  start();
  std::string got;
  const auto answer =
      client_->stream({.url = url("/cut")}, [&](std::string_view piece) -> Result<void> {
        got += piece;
        return {};
      });
  EXPECT_FALSE(answer.ok());
  EXPECT_EQ(got, "part");
  EXPECT_EQ(calls_, 1);
}

TEST_F(ClientTest, a_stream_delivers_all_and_ends_when_the_reader_refuses) {
  start();
  std::size_t bytes = 0;
  const auto answer =
      client_->stream({.url = url("/large")}, [&](std::string_view piece) -> Result<void> {
        bytes += piece.size();
        return {};
      });
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(bytes, 5'000'000U);
  const auto ended = client_->stream(
      {.url = url("/large")}, [](std::string_view) -> Result<void> { return cancelled("enough"); });
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code, Code::kCancelled);
}

TEST_F(ClientTest, an_answer_over_the_limit_is_an_error) {
  start();
  const auto answer = client_->call({.url = url("/large")});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted);
}

TEST_F(ClientTest, a_file_is_streamed_as_the_body) {
  client_options_.response_bytes_max = 8 << 20;
  start();
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "file";
  const std::string content(4'000'000, 'f');
  ASSERT_TRUE(write_file_durably(path, content).ok());
  for (const std::string method : {"PUT", "POST"}) {
    const auto answer = client_->call({.method = method, .url = url("/echo"), .body_file = path});
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_TRUE(answer->body == method + " " + content);
  }
  const auto missing =
      client_->call({.method = "PUT", .url = url("/echo"), .body_file = path + "x"});
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

// Whatever spelling leads there; and a proxy would be a way around.
TEST_F(ClientTest, a_client_for_the_public_internet_opens_no_socket_to_another_address) {
  start();
  client_options_.reach = Reach::kPublic;
  // A resolver that nobody answers may take its time over the names among them.
  client_options_.connect_timeout = std::chrono::milliseconds(120'000);
  const std::string port = server_->address().substr(server_->address().rfind(':'));
  ASSERT_EQ(setenv("http_proxy", ("http://" + server_->address()).c_str(), 1), 0);
  for (const std::string host : {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]",
                                 "[::ffff:127.0.0.1]", "127.0.0.1.", "0", "10.255.255.1"}) {
    client_ = Client::create(random_, client_options_);
    const auto answer = client_->call({.url = "http://" + host + port + "/hello"});
    ASSERT_FALSE(answer.ok()) << host;
    EXPECT_NE(answer.error().code, Code::kDeadlineExceeded) << host;
    if (host == "127.0.0.1") {
      EXPECT_EQ(answer.error().code, Code::kPermissionDenied);
      EXPECT_NE(answer.error().message.find("127.0.0.1 is not a public address"),
                std::string::npos);
    }
  }
  unsetenv("http_proxy");
}

TEST_F(ClientTest, an_attempt_ends_after_its_whole_time_though_bytes_come) {
  std::promise<void> end;
  router_.add("GET", "/drip", [future = end.get_future().share()](Request&, Reply reply) {
    auto stream = reply.stream(200, {});
    // Until the client has gone.
    while (future.wait_for(std::chrono::milliseconds(5)) != std::future_status::ready) {
      if (!stream->write("x").ok()) return;
    }
  });
  client_options_.whole_timeout = std::chrono::milliseconds(200);
  start();
  const auto answer =
      client_->stream({.url = url("/drip")}, [](std::string_view) -> Result<void> { return {}; });
  end.set_value();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
}

TEST_F(ClientTest, a_call_ends_when_its_caller_wants_it_no_longer) {
  std::promise<void> arrived;
  std::promise<void> release;
  // The handler may still begin to wait when the test is over, so it has its own hold of the end.
  router_.add("GET", "/hangs",
              [&arrived, released = release.get_future().share()](Request&, Reply reply) {
                arrived.set_value();
                released.wait();
                reply.send(Response::text("too late"));
              });
  start();
  std::stop_source stop;
  auto call = std::async(std::launch::async, [&] {
    return client_->call({.url = url("/hangs"), .stop = stop.get_token()});
  });
  arrived.get_future().wait();
  stop.request_stop();
  const auto answer = call.get();
  release.set_value();
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kCancelled);
}

TEST_F(ClientTest, other_schemes_and_redirects_are_not_followed) {
  start();
  EXPECT_EQ(client_->call({.url = "file:///etc/passwd"}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(client_->call({.url = url("/redirect")})->status, 302);
}

TEST_F(ClientTest, a_host_that_does_not_answer_is_unavailable) {
  start();
  const HeldPort gone;
  const auto answer = client_->call({.url = "http://" + gone.address() + "/hello"});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
}

TEST_F(ClientTest, head_has_no_body) {
  start();
  const auto answer = client_->call({.method = "HEAD", .url = url("/hello")});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->headers.get("Content-Length"), "6");
  EXPECT_EQ(answer->body, "");
}

class TlsTest : public ClientTest {
 protected:
  TlsTest() {
    write_certificate(directory_.path());
    server_options_.certificate_file = directory_.path() / "certificate.pem";
    server_options_.private_key_file = directory_.path() / "key.pem";
    client_options_.ca_file = server_options_.certificate_file;
    client_options_.response_bytes_max = 64 << 20;
  }
  std::string secure_url(const std::string& path) const {
    return "https://" + server_->address() + path;
  }

  TemporaryDirectory directory_;
};

TEST_F(TlsTest, requests_bodies_and_streams_pass_both_ways) {
  const std::string path = directory_.path() / "file";
  const std::string content(3'000'000, 'f');
  ASSERT_TRUE(write_file_durably(path, content).ok());
  router_.add("GET", "/file", [&](Request& request, Reply reply) {
    EXPECT_TRUE(request.secure);
    reply.send_file(200, {}, path, 1, content.size() - 1);
  });
  start();
  EXPECT_EQ(client_->call({.url = secure_url("/hello")})->body, "hello ");
  const std::string large(2'000'000, 'b');
  EXPECT_TRUE(client_->call({.method = "POST", .url = secure_url("/echo"), .body = large})->body ==
              "POST " + large);
  EXPECT_EQ(client_->call({.url = secure_url("/large")})->body.size(), 5'000'000U);
  EXPECT_EQ(client_->call({.url = secure_url("/file")})->body.size(), content.size() - 1);
  EXPECT_EQ(server_->stats().connections_open, 1U);
  server_->drain(std::chrono::seconds(60));
  EXPECT_EQ(server_->stats().connections_open, 0U);
}

TEST_F(TlsTest, a_certificate_that_nobody_vouches_for_is_refused) {
  start();
  client_options_.ca_file.clear();
  const auto answer = Client::create(random_, client_options_)->call({.url = secure_url("/hello")});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kPermissionDenied);
}

TEST_F(TlsTest, plain_http_to_it_fails_and_harms_nobody) {
  start();
  EXPECT_FALSE(client_->call({.url = url("/hello")}).ok());
  EXPECT_EQ(client_->call({.url = secure_url("/hello")})->status, 200);
}

TEST_F(TlsTest, a_certificate_that_cannot_be_read_is_named) {
  server_options_.certificate_file = directory_.path() / "none.pem";
  const auto server = Server::start(router_, clock_, random_, server_options_);
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.error().message.find("none.pem"), std::string::npos);
  server_options_.private_key_file.clear();
  EXPECT_FALSE(Server::start(router_, clock_, random_, server_options_).ok());
}

}  // namespace
}  // namespace ciclo::http
