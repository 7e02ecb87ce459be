// SPDX-License-Identifier: Apache-2.0
// The library through its C functions, against a server of this process that misbehaves on demand.
// The real servers are in tests/clients.
#include <ciclo/client.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "http/server.h"
#include "http/test_port.h"

namespace ciclo::client {
namespace {

constexpr std::int64_t kLongMs = 60'000;

// Keeps what it is sent, as MLflow's server would. A fault is used up by the next log-batch.
class FakeServer {
 public:
  struct Fault {
    int status = 503;
    bool stores = false;  // before it answers so
    std::string body = R"({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"})";
    std::string retry_after = "0";
  };
  struct Request {
    std::string key;  // of idempotency
    std::string authorization;
    json::Value body;
  };

  explicit FakeServer(std::string listen = "127.0.0.1:0") {
    add_batches();
    add_experiments();
    add_runs();
    http::ServerOptions options{.listen = std::move(listen), .access_log = false};
    auto started = http::Server::start(router_, clock_, random_, options);
    EXPECT_TRUE(started.ok()) << started.error().message;
    server_ = std::move(*started);
  }
  ~FakeServer() {
    is_hanging_ = false;
    open_gate();
  }

  std::string address() const { return server_->address(); }
  std::string url() const { return "http://" + address(); }

  void fail_next(Fault fault) {
    const std::lock_guard lock(mutex_);
    faults_.push_back(std::move(fault));
  }
  void fail_next_create() { lost_creations_ = 1; }
  // While it is closed a log-batch waits before it is looked at.
  void close_gate() { is_open_ = false; }
  void open_gate() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    gate_.notify_all();
  }
  // From now on nobody is told how a run is, until the gate is opened again.
  void hang_on_questions() { is_hanging_ = true; }
  void wait_for_question() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return is_asked_; });
  }
  void wait_for_requests(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return requests_.size() >= count; });
  }

  std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  // The items below `list` that were stored, in order; what has a key again is not stored again.
  std::vector<json::Value> stored(const std::string& run, const char* list) {
    const std::lock_guard lock(mutex_);
    std::vector<json::Value> items;
    for (const auto& body : stored_) {
      if (body.string_or("run_id", "") != run) continue;
      const auto& all = body.find(list)->items();
      items.insert(items.end(), all.begin(), all.end());
    }
    return items;
  }
  std::string ended_as(const std::string& run) {
    const std::lock_guard lock(mutex_);
    return ended_[run];
  }

  std::atomic<int> runs_created{0};
  std::atomic<bool> runs_are_deleted{false};

 private:
  static json::Value body_of(http::Request& request) {
    auto text = request.body->all();
    EXPECT_TRUE(text.ok());
    auto parsed = json::parse(*text);
    EXPECT_TRUE(parsed.ok()) << *text;
    return std::move(*parsed);
  }

  static http::Response refusal(const std::string& code, const std::string& message, int status) {
    return http::Response::json(
        json::dump(json::Value::object({{"error_code", code}, {"message", message}})), status);
  }

  void add_batches() {
    router_.add(
        "POST", "/api/2.0/mlflow/runs/log-batch",
        [this](http::Request& request, http::Reply reply) { reply.send(take_batch(request)); });
  }

  http::Response take_batch(http::Request& request) {
    Request seen{std::string(request.headers.get("Idempotency-Key")),
                 std::string(request.headers.get("Authorization")), body_of(request)};
    std::unique_lock lock(mutex_);
    requests_.push_back(seen);
    arrived_.notify_all();
    gate_.wait(lock, [this] { return is_open_.load(); });
    if (runs_are_deleted) return refusal("INVALID_PARAMETER_VALUE", "the run is deleted", 400);
    for (const auto& param : seen.body.find("params")->items()) {
      if (param.string_or("value", "") == "poison") {
        return refusal("INVALID_PARAMETER_VALUE", "poison", 400);
      }
    }
    if (faults_.empty()) {
      store(seen);
      return http::Response::json("{}");
    }
    const Fault fault = faults_.front();
    faults_.pop_front();
    if (fault.stores) store(seen);
    http::Response response = http::Response::json(fault.body, fault.status);
    response.headers.add("Retry-After", fault.retry_after);
    return response;
  }

  void store(const Request& request) {
    if (keys_.insert(request.key).second) stored_.push_back(request.body);
  }

  void add_experiments() {
    router_.add("POST", "/api/2.0/mlflow/experiments/create",
                [this](http::Request& request, http::Reply reply) {
                  const std::string name = body_of(request).string_or("name", "");
                  const std::lock_guard lock(mutex_);
                  if (!experiments_.insert(name).second) {
                    return reply.send(refusal("RESOURCE_ALREADY_EXISTS", "it exists", 400));
                  }
                  reply.send(http::Response::json(R"({"experiment_id": "7"})"));
                });
    router_.add("GET", "/api/2.0/mlflow/experiments/get-by-name",
                [this](http::Request& request, http::Reply reply) {
                  const std::string name(request.query_value("experiment_name"));
                  const std::lock_guard lock(mutex_);
                  if (!experiments_.contains(name)) {
                    return reply.send(refusal("RESOURCE_DOES_NOT_EXIST", "no such", 404));
                  }
                  const char* stage = name == "gone" ? "deleted" : "active";
                  reply.send(http::Response::json(
                      std::string(R"({"experiment": {"experiment_id": "7", "lifecycle_stage": ")") +
                      stage + "\"}}"));
                });
  }

  void add_runs() {
    router_.add("POST", "/api/2.0/mlflow/runs/create", [this](http::Request&, http::Reply reply) {
      const int number = ++runs_created;
      if (lost_creations_ > 0) {
        --lost_creations_;
        return reply.send({502, {}, "lost"});
      }
      reply.send(http::Response::json(run_text(number)));
    });
    router_.add(
        "POST", "/api/2.0/mlflow/runs/search", [this](http::Request& request, http::Reply reply) {
          const std::string filter = body_of(request).string_or("filter", "");
          EXPECT_TRUE(filter.starts_with("tags.`ciclo.client.start_key` = '")) << filter;
          const std::string run = run_text(runs_created);
          reply.send(http::Response::json(R"({"runs": [)" + run.substr(8, run.size() - 9) + "]}"));
        });
    router_.add("GET", "/api/2.0/mlflow/runs/get", [this](http::Request&, http::Reply reply) {
      wait_while_hanging();
      const char* stage = runs_are_deleted ? "deleted" : "active";
      reply.send(http::Response::json(std::string(R"({"run": {"info": {"lifecycle_stage": ")") +
                                      stage + "\"}}}"));
    });
    router_.add("POST", "/api/2.0/mlflow/runs/update",
                [this](http::Request& request, http::Reply reply) {
                  const json::Value body = body_of(request);
                  const std::lock_guard lock(mutex_);
                  ended_[body.string_or("run_id", "")] = body.string_or("status", "");
                  reply.send(http::Response::json("{}"));
                });
  }

  void wait_while_hanging() {
    std::unique_lock lock(mutex_);
    is_asked_ = true;
    arrived_.notify_all();
    gate_.wait(lock, [this] { return !is_hanging_; });
  }

  static std::string run_text(int number) {
    return R"({"run": {"info": {"run_id": "r)" + std::to_string(number) + "\"}}}";
  }

  SystemClock clock_;
  SystemRandom random_;
  http::Router router_;
  std::atomic<int> lost_creations_{0};
  std::atomic<bool> is_open_{true};
  std::atomic<bool> is_hanging_{false};
  std::mutex mutex_;
  std::condition_variable gate_;
  std::condition_variable arrived_;
  bool is_asked_ = false;                      // guarded by mutex_; how a run is
  std::deque<Fault> faults_;                   // guarded by mutex_
  std::vector<Request> requests_;              // guarded by mutex_
  std::vector<json::Value> stored_;            // guarded by mutex_
  std::set<std::string> keys_;                 // guarded by mutex_
  std::set<std::string> experiments_{"gone"};  // guarded by mutex_
  std::map<std::string, std::string> ended_;   // guarded by mutex_
  std::unique_ptr<http::Server> server_;       // last: its end waits for the handlers
};

class ClientLibrary : public testing::Test {
 protected:
  ClientLibrary() {
    log::configure(log::Level::kOff, log::Format::kAuto);
    for (const char* variable : {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN",
                                 "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}) {
      ::unsetenv(variable);
    }
    ciclo_client_options_init(&options_);
    options_.retry_delay_max_ms = 1;
    options_.flush_interval_ms = 1;
    url_ = server_.url();
  }
  ~ClientLibrary() override {
    server_.open_gate();
    ciclo_client_close(client_, 0);
    log::configure(log::Level::kInfo, log::Format::kAuto);
  }

  void open() {
    options_.tracking_uri = url_.c_str();
    ASSERT_EQ(ciclo_client_open(&options_, &client_), CICLO_CLIENT_OK) << ciclo_client_last_error();
  }
  // Opens the client and starts a run.
  void start() {
    open();
    run_ = start_run();
  }
  ciclo_run* start_run() {
    ciclo_run* run = nullptr;
    EXPECT_EQ(ciclo_client_start_run(client_, "7", "first", &run), CICLO_CLIENT_OK)
        << ciclo_client_last_error();
    return run;
  }
  ciclo_client_status log(double value, std::int64_t step = 0) {
    return ciclo_run_log_metric(run_, "loss", value, step, 1'000 + step);
  }
  ciclo_client_status flush(std::int64_t timeout_ms = kLongMs) {
    return ciclo_client_flush(client_, timeout_ms);
  }
  ciclo_client_counters counters() {
    ciclo_client_counters counters;
    EXPECT_EQ(ciclo_client_get_counters(client_, &counters), CICLO_CLIENT_OK);
    return counters;
  }
  std::vector<json::Value> metrics() { return server_.stored(ciclo_run_id(run_), "metrics"); }

  FakeServer server_;
  std::string url_;
  ciclo_client_options options_;
  ciclo_client* client_ = nullptr;
  ciclo_run* run_ = nullptr;
};

std::string last_error() { return ciclo_client_last_error(); }

TEST_F(ClientLibrary, what_was_flushed_is_at_the_server) {
  start();
  EXPECT_EQ(log(0.25, 3), CICLO_CLIENT_OK);
  EXPECT_EQ(log(std::nan(""), 4), CICLO_CLIENT_OK);
  EXPECT_EQ(log(-std::numeric_limits<double>::infinity(), 5), CICLO_CLIENT_OK);
  EXPECT_EQ(ciclo_run_log_param(run_, "depth", "6"), CICLO_CLIENT_OK);
  EXPECT_EQ(ciclo_run_set_tag(run_, "who", "a \"b\""), CICLO_CLIENT_OK);
  ASSERT_EQ(flush(), CICLO_CLIENT_OK) << last_error();
  const auto all = metrics();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(json::dump(all[0]), R"({"key":"loss","value":0.25,"timestamp":1003,"step":3})");
  EXPECT_EQ(all[1].string_or("value", ""), "NaN");
  EXPECT_EQ(all[2].string_or("value", ""), "-Infinity");
  EXPECT_EQ(json::dump(server_.stored("r1", "params").at(0)), R"({"key":"depth","value":"6"})");
  EXPECT_EQ(server_.stored("r1", "tags").at(0).string_or("value", ""), "a \"b\"");
}

TEST_F(ClientLibrary, a_request_holds_a_thousand_values_and_their_order_is_kept) {
  options_.flush_interval_ms = kLongMs;
  start();
  for (int step = 0; step < 4'500; ++step) ASSERT_EQ(log(step, step), CICLO_CLIENT_OK);
  ASSERT_EQ(flush(), CICLO_CLIENT_OK);
  const auto all = metrics();
  ASSERT_EQ(all.size(), 4'500u);
  for (int step = 0; step < 4'500; ++step) {
    ASSERT_EQ(all[static_cast<std::size_t>(step)].integer_or("step", -1), step);
  }
  const auto requests = server_.requests();
  EXPECT_EQ(requests.size(), 5u);
  for (const auto& request : requests) {
    EXPECT_LE(request.body.find("metrics")->items().size(), 1'000u);
  }
}

TEST_F(ClientLibrary, a_request_holds_a_hundred_params_and_none_twice) {
  server_.close_gate();
  start();
  ASSERT_EQ(log(0), CICLO_CLIENT_OK);
  server_.wait_for_requests(1);
  for (int i = 0; i < 150; ++i) {
    ciclo_run_log_param(run_, ("p" + std::to_string(i)).c_str(), "1");
  }
  ciclo_run_set_tag(run_, "stage", "one");
  ciclo_run_set_tag(run_, "stage", "two");
  server_.open_gate();
  ASSERT_EQ(flush(), CICLO_CLIENT_OK) << last_error();
  EXPECT_EQ(server_.stored("r1", "params").size(), 150u);
  const auto tags = server_.stored("r1", "tags");
  ASSERT_EQ(tags.size(), 2u);
  EXPECT_EQ(tags[1].string_or("value", ""), "two");
  for (const auto& request : server_.requests()) {
    EXPECT_LE(request.body.find("params")->items().size(), 100u);
    EXPECT_LE(request.body.find("tags")->items().size(), 1u);
  }
}

TEST_F(ClientLibrary, a_lost_answer_is_asked_for_again_with_the_same_key_and_body) {
  start();
  server_.fail_next({.stores = true});
  server_.fail_next({.status = 429, .body = "slow down"});
  server_.fail_next({.status = 500, .body = R"({"error_code": "INTERNAL_ERROR"})"});
  ASSERT_EQ(log(1), CICLO_CLIENT_OK);
  ASSERT_EQ(flush(), CICLO_CLIENT_OK) << last_error();
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 4u);
  for (const auto& request : requests) {
    EXPECT_EQ(request.key, requests[0].key);
    EXPECT_EQ(json::dump(request.body), json::dump(requests[0].body));
  }
  EXPECT_EQ(requests[0].key.size(), 32u);
  EXPECT_EQ(metrics().size(), 1u);
  EXPECT_EQ(counters().retries, 3u);
  ASSERT_EQ(log(2, 1), CICLO_CLIENT_OK);
  ASSERT_EQ(flush(), CICLO_CLIENT_OK);
  EXPECT_NE(server_.requests().back().key, requests[0].key);
}

TEST_F(ClientLibrary, one_refused_value_costs_only_itself_and_is_told_once) {
  server_.close_gate();
  start();
  ASSERT_EQ(log(0), CICLO_CLIENT_OK);
  server_.wait_for_requests(1);
  for (int i = 0; i < 50; ++i) {
    ciclo_run_log_param(run_, ("p" + std::to_string(i)).c_str(), i == 17 ? "poison" : "1");
    log(i, i + 1);
  }
  server_.open_gate();
  EXPECT_EQ(flush(), CICLO_CLIENT_REFUSED);
  EXPECT_NE(last_error().find("1 value was refused, the last by POST http://"), std::string::npos)
      << last_error();
  EXPECT_NE(last_error().find("400 poison"), std::string::npos) << last_error();
  EXPECT_EQ(server_.stored("r1", "params").size(), 49u);
  EXPECT_EQ(metrics().size(), 51u);
  EXPECT_EQ(counters().refused, 1u);
  EXPECT_EQ(counters().acknowledged, 100u);
  EXPECT_EQ(counters().sent, 101u);
  EXPECT_EQ(flush(), CICLO_CLIENT_OK);
}

TEST_F(ClientLibrary, the_values_of_a_deleted_run_are_refused_at_once) {
  server_.close_gate();
  start();
  for (int i = 0; i < 1'000; ++i) log(i, i);
  server_.runs_are_deleted = true;
  server_.open_gate();
  EXPECT_EQ(flush(), CICLO_CLIENT_REFUSED);
  EXPECT_EQ(counters().refused, 1'000u);
  EXPECT_LE(server_.requests().size(), 3u);
}

TEST_F(ClientLibrary, a_server_that_only_fails_is_given_up_after_its_time) {
  options_.server_error_timeout_ms = 0;
  start();
  server_.fail_next({.status = 500});
  ASSERT_EQ(log(1), CICLO_CLIENT_OK);
  EXPECT_EQ(flush(), CICLO_CLIENT_REFUSED);
  EXPECT_EQ(counters().refused, 1u);
}

TEST_F(ClientLibrary, a_full_ring_drops_and_counts_when_asked_to) {
  options_.capacity = 4;
  options_.when_full = CICLO_CLIENT_DROP;
  server_.close_gate();
  start();
  ASSERT_EQ(log(0), CICLO_CLIENT_OK);
  server_.wait_for_requests(1);
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(log(i, i), CICLO_CLIENT_OK);
  EXPECT_EQ(log(5, 5), CICLO_CLIENT_DROPPED);
  EXPECT_EQ(last_error(), "the ring is full: the value was dropped");
  EXPECT_EQ(counters().dropped, 1u);
  EXPECT_EQ(counters().logged, 5u);
  server_.open_gate();
  ASSERT_EQ(flush(), CICLO_CLIENT_OK);
  EXPECT_EQ(metrics().size(), 5u);
}

TEST_F(ClientLibrary, a_full_ring_holds_threads_up_and_loses_nothing) {
  options_.capacity = 8;
  start();
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([this, t] {
        const std::string key = "loss" + std::to_string(t);
        for (int step = 0; step < kEach; ++step) {
          ASSERT_EQ(ciclo_run_log_metric(run_, key.c_str(), t, step, CICLO_CLIENT_NOW),
                    CICLO_CLIENT_OK);
        }
      });
    }
  }
  ASSERT_EQ(flush(), CICLO_CLIENT_OK) << last_error();
  std::map<std::string, std::int64_t> next;
  for (const auto& metric : metrics()) {
    ASSERT_EQ(metric.integer_or("step", -1), next[metric.string_or("key", "")]++);
  }
  ASSERT_EQ(next.size(), std::size_t{kThreads});
  for (const auto& [key, count] : next) EXPECT_EQ(count, kEach) << key;
}

TEST_F(ClientLibrary, a_flush_that_is_late_says_what_is_missing_and_may_succeed_later) {
  server_.close_gate();
  start();
  for (int i = 0; i < 3; ++i) log(i, i);
  EXPECT_EQ(flush(5), CICLO_CLIENT_DEADLINE);
  EXPECT_EQ(last_error(), "3 of 3 values are not acknowledged after 5 ms");
  server_.open_gate();
  EXPECT_EQ(flush(), CICLO_CLIENT_OK);
}

TEST_F(ClientLibrary, values_wait_for_a_server_that_is_not_there_yet) {
  const http::HeldPort port;
  {
    FakeServer first(port.address());
    url_ = first.url();
    start();
  }
  for (int i = 0; i < 10; ++i) log(i, i);
  while (counters().retries == 0) std::this_thread::yield();
  EXPECT_EQ(flush(20), CICLO_CLIENT_DEADLINE);
  EXPECT_NE(last_error().find("the last problem: POST http://" + port.address()), std::string::npos)
      << last_error();
  FakeServer second(port.address());
  EXPECT_EQ(flush(), CICLO_CLIENT_OK) << last_error();
  EXPECT_EQ(second.stored("r1", "metrics").size(), 10u);
}

TEST_F(ClientLibrary, closing_cuts_off_a_request_that_hangs) {
  server_.close_gate();
  start();
  log(1);
  server_.wait_for_requests(1);
  EXPECT_EQ(ciclo_client_close(std::exchange(client_, nullptr), 1), CICLO_CLIENT_DEADLINE);
  EXPECT_EQ(last_error(), "1 of 1 values are not acknowledged after 1 ms");
}

// The question comes after values were refused. Its time is a day, so that only closing ends it.
TEST_F(ClientLibrary, closing_cuts_off_a_question_about_a_run_that_hangs) {
  options_.call_timeout_ms = 86'400'000;
  server_.close_gate();
  start();
  log(1);
  server_.wait_for_requests(1);
  const ciclo_client_metric metric{"loss", 2, 1, 1};
  const ciclo_client_text poison{"p", "poison"};
  ASSERT_EQ(ciclo_run_log_batch(run_, &metric, 1, &poison, 1, nullptr, 0), CICLO_CLIENT_OK);
  server_.hang_on_questions();
  server_.open_gate();
  server_.wait_for_question();
  EXPECT_EQ(ciclo_client_close(std::exchange(client_, nullptr), 1), CICLO_CLIENT_DEADLINE);
}

// A program that was compiled with a smaller struct than the library knows: what lies behind it is
// not touched, and it gets the defaults of what it does not have.
TEST_F(ClientLibrary, structs_are_as_large_as_the_caller_says) {
  struct Guarded {
    ciclo_client_options options;
    std::uint64_t behind;
  };
  Guarded guarded{};
  guarded.behind = 7;
  const std::size_t smaller = offsetof(ciclo_client_options, server_error_timeout_ms);
  guarded.options.server_error_timeout_ms = 5;
  ciclo_client_options_init_sized(&guarded.options, smaller);
  EXPECT_EQ(guarded.options.size, smaller);
  EXPECT_EQ(guarded.options.server_error_timeout_ms, 5);
  ciclo_client_options_init(&guarded.options);
  EXPECT_EQ(guarded.options.server_error_timeout_ms, 600'000);
  EXPECT_EQ(guarded.behind, 7u);
  open();
  struct {
    ciclo_client_counters counters;
  } counted{};
  counted.counters.retries = 7;
  ASSERT_EQ(ciclo_client_get_counters_sized(client_, &counted.counters,
                                            offsetof(ciclo_client_counters, retries)),
            CICLO_CLIENT_OK);
  EXPECT_EQ(counted.counters.retries, 7u);
}

TEST_F(ClientLibrary, each_run_gets_its_own_values) {
  server_.close_gate();
  start();
  ciclo_run* other = start_run();
  for (int i = 0; i < 10; ++i) {
    log(i, i);
    ciclo_run_log_metric(other, "gain", i, i, 0);
  }
  server_.open_gate();
  ASSERT_EQ(flush(), CICLO_CLIENT_OK);
  EXPECT_EQ(server_.stored("r1", "metrics").size(), 10u);
  const auto others = server_.stored("r2", "metrics");
  ASSERT_EQ(others.size(), 10u);
  EXPECT_EQ(others.back().string_or("key", ""), "gain");
}

TEST_F(ClientLibrary, a_batch_is_checked_before_any_of_it_is_taken) {
  start();
  const ciclo_client_metric metrics[] = {{"a", 1, 0, CICLO_CLIENT_NOW}, {"b", 2, 0, -7}};
  const ciclo_client_text params[] = {{"p", "1"}};
  const ciclo_client_text tags[] = {{"t", "2"}};
  EXPECT_EQ(ciclo_run_log_batch(run_, metrics, 2, params, 1, tags, 1),
            CICLO_CLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(last_error(), "metric \"b\": the timestamp must not be negative, got -7");
  EXPECT_EQ(counters().logged, 0u);
  EXPECT_EQ(ciclo_run_log_batch(run_, metrics, 1, params, 1, tags, 1), CICLO_CLIENT_OK);
  EXPECT_EQ(ciclo_run_log_batch(run_, nullptr, 1, nullptr, 0, nullptr, 0),
            CICLO_CLIENT_INVALID_ARGUMENT);
  ASSERT_EQ(flush(), CICLO_CLIENT_OK);
  EXPECT_EQ(counters().acknowledged, 3u);
  EXPECT_GT(this->metrics().at(0).integer_or("timestamp", 0), 1'600'000'000'000);
}

TEST_F(ClientLibrary, wrong_keys_are_refused_with_a_sentence) {
  start();
  const std::string long_key(251, 'k');
  const std::pair<const char*, const char*> wrong[] = {
      {"", "metric key is empty: a name is needed"},
      {"a\nb", "metric key \"a\nb\" may hold only letters, digits"},
      {"/a", "no slash at either end"},
      {"a//b", "must have no empty"},
      {"..", "must have no empty, \".\" or \"..\" part"},
      {long_key.c_str(), "has 251 bytes, at most 250 are allowed"},
  };
  for (const auto& [key, sentence] : wrong) {
    EXPECT_EQ(ciclo_run_log_metric(run_, key, 1, 0, 0), CICLO_CLIENT_INVALID_ARGUMENT) << key;
    std::string expected(sentence);
    std::replace(expected.begin(), expected.end(), '\n', ' ');
    EXPECT_NE(last_error().find(expected), std::string::npos) << last_error();
  }
  EXPECT_EQ(ciclo_run_log_metric(run_, nullptr, 1, 0, 0), CICLO_CLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(ciclo_run_log_param(run_, "p", nullptr), CICLO_CLIENT_INVALID_ARGUMENT);
  EXPECT_EQ(ciclo_run_log_metric(nullptr, "a", 1, 0, 0), CICLO_CLIENT_INVALID_ARGUMENT);
  for (const char* key : {"a/b c", "a.b", "große", "x:y_z-1"}) {
    EXPECT_EQ(ciclo_run_log_metric(run_, key, 1, 0, 0), CICLO_CLIENT_OK) << key;
  }
  EXPECT_EQ(ciclo_run_log_metric(run_, long_key.c_str() + 1, 1, 0, 0), CICLO_CLIENT_OK);
  ASSERT_EQ(flush(), CICLO_CLIENT_OK);
  EXPECT_EQ(metrics().back().string_or("key", ""), long_key.substr(1));
}

TEST_F(ClientLibrary, wrong_options_are_refused_with_a_sentence) {
  const auto refused = [&](const std::string& expected) {
    ciclo_client* client = nullptr;
    EXPECT_EQ(ciclo_client_open(&options_, &client), CICLO_CLIENT_INVALID_ARGUMENT) << expected;
    EXPECT_EQ(client, nullptr);
    EXPECT_NE(last_error().find(expected), std::string::npos) << last_error();
  };
  options_.tracking_uri = nullptr;
  refused("no tracking URI: pass one or set MLFLOW_TRACKING_URI");
  options_.tracking_uri = "sqlite:///x.db";
  refused("must begin with http:// or https://, got \"sqlite\" before ://");
  options_.tracking_uri = "postgresql://ann:secret@host/mlflow";
  refused("got \"postgresql\" before ://");
  EXPECT_EQ(last_error().find("secret"), std::string::npos) << last_error();
  options_.tracking_uri = "ann:secret@host";
  refused("got one without ://");
  EXPECT_EQ(last_error().find("secret"), std::string::npos) << last_error();
  options_.tracking_uri = "http://user:secret@host";
  refused("must hold neither a password nor a query");
  options_.tracking_uri = url_.c_str();
  options_.capacity = 1;
  refused("option capacity must be between 2 and 16777216, got 1");
  options_.capacity = 2;
  options_.flush_interval_ms = 0;
  refused("option flush_interval_ms must be between 1");
  options_.size = 8;
  refused("ciclo_client_options_init");
}

TEST_F(ClientLibrary, the_environment_says_where_the_server_is_and_who_asks) {
  ::setenv("MLFLOW_TRACKING_URI", (url_ + "/").c_str(), 1);
  ::setenv("MLFLOW_TRACKING_USERNAME", "ada", 1);
  ::setenv("MLFLOW_TRACKING_PASSWORD", "pass:word", 1);
  options_.tracking_uri = nullptr;
  const std::pair<const char*, const char*> cases[] = {{nullptr, "Basic YWRhOnBhc3M6d29yZA=="},
                                                       {"abc", "Bearer abc"}};
  for (const auto& [token, expected] : cases) {
    options_.token = token;
    ASSERT_EQ(ciclo_client_open(&options_, &client_), CICLO_CLIENT_OK) << last_error();
    run_ = start_run();
    log(1);
    ASSERT_EQ(ciclo_client_close(std::exchange(client_, nullptr), kLongMs), CICLO_CLIENT_OK);
    EXPECT_EQ(server_.requests().back().authorization, expected);
  }
}

TEST_F(ClientLibrary, experiments_are_made_and_found_by_name) {
  open();
  char id[CICLO_CLIENT_ID_SIZE];
  EXPECT_EQ(ciclo_client_get_experiment(client_, "new & old", id), CICLO_CLIENT_NOT_FOUND);
  EXPECT_EQ(ciclo_client_set_experiment(client_, "new & old", id), CICLO_CLIENT_OK);
  EXPECT_STREQ(id, "7");
  EXPECT_EQ(ciclo_client_set_experiment(client_, "new & old", id), CICLO_CLIENT_OK);
  EXPECT_EQ(ciclo_client_get_experiment(client_, "new & old", id), CICLO_CLIENT_OK);
  EXPECT_EQ(ciclo_client_create_experiment(client_, "new & old", id), CICLO_CLIENT_ALREADY_EXISTS);
  EXPECT_EQ(ciclo_client_set_experiment(client_, "gone", id), CICLO_CLIENT_REFUSED);
  EXPECT_EQ(last_error(), "experiment \"gone\" is deleted: restore it, or choose another name");
  EXPECT_EQ(ciclo_client_set_experiment(client_, "", id), CICLO_CLIENT_INVALID_ARGUMENT);
}

TEST_F(ClientLibrary, a_lost_answer_to_the_start_of_a_run_makes_no_second_run) {
  open();
  server_.fail_next_create();
  run_ = start_run();
  ASSERT_NE(run_, nullptr);
  EXPECT_STREQ(ciclo_run_id(run_), "r1");
  EXPECT_EQ(server_.runs_created, 1);
}

TEST_F(ClientLibrary, a_call_gives_up_after_its_time) {
  options_.call_timeout_ms = 50;
  const http::HeldPort gone;
  url_ = "http://" + gone.address();
  open();
  char id[CICLO_CLIENT_ID_SIZE];
  EXPECT_EQ(ciclo_client_get_experiment(client_, "x", id), CICLO_CLIENT_UNAVAILABLE);
  EXPECT_NE(last_error().find("GET http://"), std::string::npos) << last_error();
}

TEST_F(ClientLibrary, a_run_that_has_ended_takes_nothing_more) {
  start();
  log(1);
  ASSERT_EQ(ciclo_run_end(run_, CICLO_RUN_FAILED, kLongMs), CICLO_CLIENT_OK) << last_error();
  EXPECT_EQ(server_.ended_as("r1"), "FAILED");
  EXPECT_EQ(metrics().size(), 1u);
  EXPECT_EQ(log(2), CICLO_CLIENT_ENDED);
  EXPECT_EQ(last_error(), "run r1 has been ended");
  ciclo_run* again = nullptr;
  ASSERT_EQ(ciclo_client_resume_run(client_, "r1", &again), CICLO_CLIENT_OK) << last_error();
  EXPECT_EQ(ciclo_run_log_metric(again, "loss", 2, 0, 0), CICLO_CLIENT_OK);
}

TEST_F(ClientLibrary, a_forked_child_is_told_so_and_the_parent_goes_on) {
  start();
  log(1);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_told = log(2) == CICLO_CLIENT_FORKED && flush(10) == CICLO_CLIENT_FORKED &&
                         ciclo_client_close(client_, 10) == CICLO_CLIENT_FORKED;
    ::_exit(is_told ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  log(3, 1);
  ASSERT_EQ(flush(), CICLO_CLIENT_OK);
  EXPECT_EQ(metrics().size(), 2u);
}

}  // namespace
}  // namespace ciclo::client
