// SPDX-License-Identifier: Apache-2.0
#include "serve/endpoints.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/file.h"
#include "base/random.h"
#include "serve/test_models.h"
#include "sql/test_database.h"

namespace ciclo::serve {
namespace {

class EndpointsTest : public ::testing::TestWithParam<sql::Engine> {
 protected:
  EndpointsTest() {
    EXPECT_TRUE(sql::migrate(*database_, events::schema()).ok());
    EXPECT_TRUE(sql::migrate(*database_, schema()).ok());
    models_.set_alias("champion", "1");
    restart();
  }

  void restart() {
    endpoints_.reset();
    capture_.reset();
    capture_.emplace(CaptureOptions{.root = folder_.path()}, clock_);
    endpoints_.emplace(*database_, log_, clock_, ids_, models_, *capture_);
    const auto started = endpoints_->start();
    EXPECT_TRUE(started.ok()) << (started.ok() ? "" : started.error().message);
  }
  // As the registry does: the alias and its event together.
  void move_alias(const std::string& version) {
    models_.set_alias("champion", version);
    EXPECT_TRUE(database_
                    ->transaction([&](sql::Txn& txn) {
                      return log_.append(txn, "default", "registry.alias_moved", "delays",
                                         json::Value::object({{"version", version}}));
                    })
                    .ok());
    log_.wake();
  }
  std::vector<std::string> event_kinds() {
    std::vector<std::string> kinds;
    const auto events = log_.read_after(0, 100);
    EXPECT_TRUE(events.ok());
    for (const auto& event : *events) kinds.push_back(event.kind);
    return kinds;
  }
  static EndpointSpec spec() { return {.name = "flights", .model = "delays"}; }

  Context ctx_;
  SimClock clock_{1'400'000'000'000};
  SeededRandom random_{7};
  IdSource ids_{clock_, random_};
  TemporaryDirectory folder_;
  sql::TestDatabase database_{GetParam()};
  events::Log log_{*database_, clock_};
  TestModels models_;
  std::optional<Capture> capture_;
  std::optional<Endpoints> endpoints_;
};

INSTANTIATE_TEST_SUITE_P(Engines, EndpointsTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST_P(EndpointsTest, serves_what_the_alias_names) {
  const auto endpoint = endpoints_->put(ctx_, spec());
  ASSERT_TRUE(endpoint.ok()) << endpoint.error().message;
  EXPECT_EQ(endpoint->state, EndpointState::kReady);
  EXPECT_EQ(endpoint->serving_version, "1");
  const auto prediction = endpoints_->predict(ctx_, "flights", test_rows(2));
  ASSERT_TRUE(prediction.ok());
  EXPECT_EQ(prediction->version, "1");
  EXPECT_EQ(prediction->model, "delays");
  EXPECT_DOUBLE_EQ(prediction->outputs.columns[0].numbers[1], 1.1);
  EXPECT_EQ(prediction->inference_ids.size(), 2u);
  EXPECT_NE(prediction->inference_ids[0], prediction->inference_ids[1]);
  EXPECT_EQ(event_kinds(), (std::vector<std::string>{"endpoint.created", "endpoint.deployed"}));
}

TEST_P(EndpointsTest, what_another_server_serves_is_unavailable_here_rather_than_unknown) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  Endpoints other(*database_, log_, clock_, ids_, models_, *capture_);  // follows nothing
  EXPECT_EQ(other.loaded(ctx_, "flights").error().code, Code::kUnavailable);
  EXPECT_EQ(other.loaded(ctx_, "none").error().code, Code::kNotFound);
  EXPECT_TRUE(endpoints_->loaded(ctx_, "flights").ok());
}

TEST_P(EndpointsTest, a_fixed_version_does_not_follow) {
  auto fixed = spec();
  fixed.alias.clear();
  fixed.version = "7";
  ASSERT_TRUE(endpoints_->put(ctx_, fixed).ok());
  move_alias("2");
  ASSERT_TRUE(endpoints_->reconcile(ctx_).ok());
  EXPECT_EQ(endpoints_->get(ctx_, "flights")->serving_version, "7");
}

TEST_P(EndpointsTest, follows_a_moved_alias_on_its_own) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  move_alias("2");
  // The follower wakes by the event; the call waits for it, since changes happen one at a time.
  while (endpoints_->serving("flights").value()->version != "2") std::this_thread::yield();
  const auto history = endpoints_->deployments(ctx_, "flights", 0, 10);
  ASSERT_TRUE(history.ok());
  ASSERT_EQ(history->size(), 2u);
  EXPECT_EQ((*history)[0].version, "2");
  EXPECT_EQ((*history)[0].previous, "1");
  EXPECT_EQ((*history)[1].previous, "");
}

TEST_P(EndpointsTest, tells_what_served_at_a_moment_and_who_deployed_it) {
  const auto served_at = [&](std::int64_t time_ms) {
    std::string out;
    const auto all = endpoints_->deployments_at(ctx_, time_ms);
    EXPECT_TRUE(all.ok());
    for (const auto& one : *all) out += one.endpoint + "=" + one.model + "/" + one.version + " ";
    return out;
  };
  auto fixed = spec();
  fixed.alias.clear();
  fixed.version = "1";
  ctx_.caller = "ann";
  ASSERT_TRUE(endpoints_->put(ctx_, fixed).ok());
  const std::int64_t first_ms = clock_.now_ms();
  clock_.advance_ms(1'000);
  fixed.version = "2";
  ASSERT_TRUE(endpoints_->put(ctx_, fixed).ok());
  const std::int64_t second_ms = clock_.now_ms();
  clock_.advance_ms(1'000);
  ASSERT_TRUE(endpoints_->remove(ctx_, "flights").ok());
  EXPECT_EQ(served_at(first_ms - 1), "");
  EXPECT_EQ(served_at(first_ms), "flights=" + fixed.model + "/1 ");
  EXPECT_EQ(served_at(second_ms - 1), "flights=" + fixed.model + "/1 ");
  EXPECT_EQ(served_at(second_ms), "flights=" + fixed.model + "/2 ");
  EXPECT_EQ(served_at(clock_.now_ms()), "");
  const auto history = endpoints_->deployments_of(ctx_, fixed.model, 10);
  ASSERT_EQ(history->size(), 3U);
  EXPECT_EQ(history->at(0).version, "") << "removed";
  EXPECT_EQ(history->at(0).previous, "2");
  EXPECT_EQ(history->at(2).caller, "ann");
  EXPECT_EQ(endpoints_->deployments_of(ctx_, fixed.model, 1)->size(), 1U);
  EXPECT_TRUE(endpoints_->deployments_of(ctx_, "none", 10)->empty());
}

TEST_P(EndpointsTest, a_restart_serves_what_served) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  restart();
  EXPECT_TRUE(endpoints_->is_ready());
  EXPECT_EQ(endpoints_->serving("flights").value()->version, "1");
  EXPECT_EQ(endpoints_->deployments(ctx_, "flights", 0, 10)->size(), 1u);
}

TEST_P(EndpointsTest, an_alias_moved_while_down_is_followed_at_the_start) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  endpoints_.reset();
  models_.set_alias("champion", "5");
  restart();
  EXPECT_EQ(endpoints_->serving("flights").value()->version, "5");
}

TEST_P(EndpointsTest, keeps_serving_when_the_new_version_is_broken) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  models_.break_version("2");
  models_.set_alias("champion", "2");
  ASSERT_TRUE(endpoints_->reconcile(ctx_).ok());
  auto endpoint = endpoints_->get(ctx_, "flights");
  EXPECT_EQ(endpoint->state, EndpointState::kReady);
  EXPECT_EQ(endpoint->serving_version, "1");
  EXPECT_NE(endpoint->message.find("input example"), std::string::npos) << endpoint->message;
  EXPECT_EQ(endpoints_->predict(ctx_, "flights", test_rows(1))->version, "1");
  EXPECT_EQ(event_kinds().back(), "endpoint.deploy_failed");
  // It is not loaded again at each look, and the failure is told once.
  const int loads = models_.loads;
  const auto events = event_kinds().size();
  ASSERT_TRUE(endpoints_->reconcile(ctx_).ok());
  EXPECT_EQ(models_.loads, loads);
  EXPECT_EQ(event_kinds().size(), events);
  // Once repaired it is tried again after the wait.
  models_.break_version("2", false);
  clock_.advance_ms(2'000);
  ASSERT_TRUE(endpoints_->reconcile(ctx_).ok());
  endpoint = endpoints_->get(ctx_, "flights");
  EXPECT_EQ(endpoint->serving_version, "2");
  EXPECT_EQ(endpoint->message, "");
}

TEST_P(EndpointsTest, a_put_that_cannot_load_changes_nothing_that_serves) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  auto changed = spec();
  changed.alias.clear();
  changed.version = "none";
  const auto put = endpoints_->put(ctx_, changed);
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, Code::kNotFound);
  const auto endpoint = endpoints_->get(ctx_, "flights");
  EXPECT_EQ(endpoint->spec.alias, "champion");
  EXPECT_EQ(endpoint->serving_version, "1");
}

TEST_P(EndpointsTest, an_endpoint_whose_model_comes_later_is_failed_then_ready) {
  auto early = spec();
  early.alias = "staging";
  EXPECT_EQ(endpoints_->put(ctx_, early).error().code, Code::kNotFound);
  EXPECT_EQ(endpoints_->get(ctx_, "flights")->state, EndpointState::kFailed);
  EXPECT_EQ(endpoints_->predict(ctx_, "flights", test_rows(1)).error().code, Code::kUnavailable);
  models_.set_alias("staging", "4");
  ASSERT_TRUE(endpoints_->reconcile(ctx_).ok());
  EXPECT_EQ(endpoints_->get(ctx_, "flights")->state, EndpointState::kReady);
  EXPECT_EQ(endpoints_->predict(ctx_, "flights", test_rows(1))->version, "4");
}

TEST_P(EndpointsTest, refuses_bad_specs) {
  for (const std::string name : {"", ".hidden", "a/b", "a b", "../x"}) {
    auto bad = spec();
    bad.name = name;
    EXPECT_EQ(endpoints_->put(ctx_, bad).error().code, Code::kInvalidArgument) << name;
  }
  auto both = spec();
  both.version = "1";
  EXPECT_EQ(endpoints_->put(ctx_, both).error().code, Code::kInvalidArgument);
  auto no_model = spec();
  no_model.model.clear();
  EXPECT_EQ(endpoints_->put(ctx_, no_model).error().code, Code::kInvalidArgument);
}

TEST_P(EndpointsTest, a_removed_endpoint_is_gone_also_after_a_restart) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  ASSERT_TRUE(endpoints_->remove(ctx_, "flights").ok());
  EXPECT_EQ(endpoints_->remove(ctx_, "flights").error().code, Code::kNotFound);
  EXPECT_EQ(endpoints_->predict(ctx_, "flights", test_rows(1)).error().code, Code::kNotFound);
  restart();
  EXPECT_TRUE(endpoints_->names().empty());
}

TEST_P(EndpointsTest, respects_inference_ids_and_event_times) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  const auto ids_of = [&](std::size_t rows, std::vector<std::string> ids) {
    return endpoints_->predict(ctx_, "flights", test_rows(rows), {.inference_ids = std::move(ids)});
  };
  EXPECT_EQ(ids_of(1, {"a"})->inference_ids, (std::vector<std::string>{"a"}));
  EXPECT_EQ(ids_of(2, {"a", "b"})->inference_ids, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ids_of(2, {"a"})->inference_ids, (std::vector<std::string>{"a-0", "a-1"}));
  EXPECT_EQ(ids_of(2, {"a", "a"}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(ids_of(3, {"a", "b"}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(ids_of(1, {""}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(ids_of(1, {std::string(257, 'x')}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(ids_of(0, {}).error().code, Code::kInvalidArgument);
  const auto at = [&](std::vector<std::int64_t> times) {
    return endpoints_->predict(ctx_, "flights", test_rows(2), {.event_times_ms = std::move(times)});
  };
  EXPECT_TRUE(at({1'370'044'800'000}).ok());
  EXPECT_TRUE(at({1'370'044'800'000, 1'370'044'900'000}).ok());
  EXPECT_EQ(at({1, 2, 3}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(at({-1}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(at({clock_.now_ms() + std::int64_t{2} * 86'400'000}).error().code,
            Code::kInvalidArgument);
  ASSERT_TRUE(capture_->flush().ok());
  EXPECT_EQ(captured_days(folder_.path(), "flights"),
            (std::vector<std::int64_t>{1'370'044'800'000, day_start_ms(clock_.now_ms())}));
}

TEST_P(EndpointsTest, refuses_another_version_than_the_one_that_serves) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  EXPECT_TRUE(endpoints_->predict(ctx_, "flights", test_rows(1), {.version = "1"}).ok());
  EXPECT_EQ(endpoints_->predict(ctx_, "flights", test_rows(1), {.version = "9"}).error().code,
            Code::kNotFound);
}

TEST_P(EndpointsTest, does_not_capture_what_it_is_told_not_to) {
  auto quiet = spec();
  quiet.capture = false;
  ASSERT_TRUE(endpoints_->put(ctx_, quiet).ok());
  ASSERT_TRUE(endpoints_->predict(ctx_, "flights", test_rows(3)).ok());
  ASSERT_TRUE(capture_->flush().ok());
  EXPECT_EQ(capture_->stats().rows_written, 0u);
}

TEST_P(EndpointsTest, checks_labels) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  EXPECT_EQ(endpoints_->add_labels(ctx_, "none", {}).error().code, Code::kNotFound);
  const auto bad = endpoints_->add_labels(
      ctx_, "flights",
      {{.inference_id = "a", .label = 1}, {.inference_id = "b", .label = nullptr}});
  EXPECT_EQ(bad.error().code, Code::kInvalidArgument);
  EXPECT_NE(bad.error().message.find("labels[1]"), std::string::npos);
  const auto stray = endpoints_->add_labels(
      ctx_, "flights",
      {{.inference_id = "a", .label = 1}, {.inference_id = "b", .label = "delayed"}});
  ASSERT_FALSE(stray.ok());
  EXPECT_EQ(stray.error().code, Code::kInvalidArgument);
  EXPECT_EQ(stray.error().message,
            "labels[1]: label \"delayed\": must be a class that the model knows: \"0\" or \"1\"");
  const auto good = endpoints_->add_labels(ctx_, "flights", {{.inference_id = "a", .label = 1}});
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->unknown, 1);
}

TEST_P(EndpointsTest, counts_what_it_did) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  (void)endpoints_->predict(ctx_, "flights", test_rows(3)).ok();
  (void)endpoints_->predict(ctx_, "flights", data::Batch{}).ok();
  const auto stats = endpoints_->stats("flights");
  EXPECT_EQ(stats.requests, 1u);
  EXPECT_EQ(stats.rows, 3u);
  EXPECT_EQ(stats.failures, 1u);
  EXPECT_EQ(stats.duration_us[0], 1u);  // the clock stands still
}

TEST_P(EndpointsTest, an_old_version_lives_as_long_as_a_request_and_is_freed_elsewhere) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  auto held = endpoints_->serving("flights").value();
  models_.set_alias("champion", "2");
  ASSERT_TRUE(endpoints_->reconcile(ctx_).ok());
  EXPECT_EQ(models_.lives->alive, 2);
  EXPECT_EQ(endpoints_->predict(ctx_, held, test_rows(1))->version, "1");
  held.reset();
  while (models_.lives->alive != 1) std::this_thread::yield();
  EXPECT_NE(models_.lives->freed_on, std::hash<std::thread::id>()(std::this_thread::get_id()));
}

TEST_P(EndpointsTest, swaps_under_load_without_a_failed_or_mixed_request) {
  ASSERT_TRUE(endpoints_->put(ctx_, spec()).ok());
  std::atomic<bool> is_over{false};
  std::atomic<int> failures{0};
  std::atomic<int> mixed{0};
  std::atomic<int> requests{0};
  std::vector<std::jthread> clients;
  for (int t = 0; t < 4; ++t) {
    clients.emplace_back([&] {
      while (!is_over) {
        const auto prediction = endpoints_->predict(ctx_, "flights", test_rows(8, 0));
        ++requests;
        if (!prediction.ok()) {
          ++failures;
          continue;
        }
        for (const double value : prediction->outputs.columns[0].numbers) {
          if (value != parse_double(prediction->version)) ++mixed;
        }
      }
    });
  }
  for (int version = 2; version < 40; ++version) {
    models_.set_alias("champion", std::to_string(version));
    ASSERT_TRUE(endpoints_->reconcile(ctx_).ok());
    const int before = requests;
    while (requests < before + 8) std::this_thread::yield();
  }
  is_over = true;
  clients.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(mixed, 0);
  EXPECT_EQ(endpoints_->serving("flights").value()->version, "39");
  while (models_.lives->alive != 1) std::this_thread::yield();
}

}  // namespace
}  // namespace ciclo::serve
