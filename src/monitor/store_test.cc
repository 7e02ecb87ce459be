// SPDX-License-Identifier: Apache-2.0
#include "monitor/store.h"

#include <gtest/gtest.h>

#include "sql/test_database.h"

namespace ciclo::monitor {
namespace {

class MonitorStoreTest : public ::testing::TestWithParam<sql::Engine> {
 protected:
  MonitorStoreTest() { CHECK(sql::migrate(*database_, schema()).ok()); }

  static Window window_of(const std::string& id, std::int64_t start_ms) {
    Window window;
    window.id = id;
    window.endpoint = "flights";
    window.model = "delays";
    window.version = "3";
    window.start_ms = start_ms;
    window.end_ms = start_ms + 10;
    window.rows = 7;
    window.is_judged = true;
    window.columns = {{.column = "distance", .test = "ks", .psi = 0.25, .reasons = {"nulls"}}};
    return window;
  }
  template <class F>
  auto write(F&& body) {
    return database_->transact(body);
  }
  template <class F>
  auto read(F&& body) {
    return database_->view(body);
  }

  sql::TestDatabase database_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Engines, MonitorStoreTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST_P(MonitorStoreTest, keeps_windows_and_adds_each_once) {
  const auto add = [&](const Window& window) {
    return write([&](sql::Txn& txn) { return store::add_window(txn, window, 500); });
  };
  EXPECT_EQ(add(window_of("a", 100)).value(), true);
  EXPECT_EQ(add(window_of("a", 100)).value(), false);
  EXPECT_EQ(add(window_of("b", 200)).value(), true);
  auto found = read([](sql::Reader& reader) { return store::find_window(reader, "a"); });
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ((*found)->rows, 7);
  ASSERT_EQ((*found)->columns.size(), 1u);
  EXPECT_EQ((*found)->columns[0].psi, 0.25);
  EXPECT_EQ((*found)->columns[0].reasons, std::vector<std::string>{"nulls"});
  const auto list = [&](std::int64_t before, int limit) {
    return read(
        [&](sql::Reader& reader) { return store::windows(reader, "flights", before, limit); });
  };
  EXPECT_EQ(list(0, 10)->front().id, "b");
  EXPECT_EQ(list(200, 10)->front().id, "a");
  EXPECT_EQ(list(0, 1)->size(), 1u);
}

TEST_P(MonitorStoreTest, finds_the_verdicts_of_a_version_by_their_own_index) {
  const auto add = [&](const std::string& id, std::int64_t start_ms, auto change) {
    Window window = window_of(id, start_ms);
    change(window);
    ASSERT_TRUE(write([&](sql::Txn& txn) { return store::add_window(txn, window, 500); }).ok());
  };
  add("oldest", 100, [](Window&) {});
  add("older", 200, [](Window&) {});
  add("unjudged", 300, [](Window& window) { window.is_judged = false; });
  add("version", 400, [](Window& window) { window.version = "4"; });
  add("model", 500, [](Window& window) { window.model = "fares"; });
  add("endpoint", 600, [](Window& window) { window.endpoint = "hotels"; });
  add("newest", 700, [](Window&) {});
  // Nothing else leads to them.
  for (const auto* const other : {"monitor_windows_by_start", "monitor_windows_by_next"}) {
    const std::string drop = std::string("DROP INDEX ") + other;
    ASSERT_TRUE(write([&](sql::Txn& txn) { return txn.execute(drop, {}); }).ok());
  }
  const auto before = database_->stats().full_scan_rows;
  const auto found = read([](sql::Reader& reader) {
    return store::judged_before(reader, window_of("newest", 700), 2);
  });
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(database_->stats().full_scan_rows, before);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->front().id, "older");
  EXPECT_EQ(found->back().id, "oldest");
}

TEST_P(MonitorStoreTest, tells_which_windows_are_due) {
  Window window = window_of("a", 100);
  ASSERT_TRUE(write([&](sql::Txn& txn) { return store::add_window(txn, window, 500); }).ok());
  const auto due = [&](std::int64_t time_ms) {
    return read([&](sql::Reader& reader) { return store::windows_due(reader, "flights", time_ms); })
        ->size();
  };
  EXPECT_EQ(due(499), 0u);
  EXPECT_EQ(due(500), 1u);
  window.labels = 5;
  window.metrics = {{.metric = "auc", .value = 0.7, .low = 0.6, .high = 0.8, .reference = 0.75}};
  ASSERT_TRUE(
      database_->transaction([&](sql::Txn& txn) { return store::set_metrics(txn, window, 900); })
          .ok());
  EXPECT_EQ(due(500), 0u);
  const auto found = read([](sql::Reader& reader) { return store::find_window(reader, "a"); });
  EXPECT_EQ((*found)->labels, 5);
  EXPECT_EQ((*found)->metrics[0].reference, 0.75);
}

TEST_P(MonitorStoreTest, keeps_one_alert_of_a_kind_for_each_window) {
  const auto add = [&](const std::string& kind, const std::string& window) {
    const Alert alert{.kind = kind, .endpoint = "flights", .window_id = window, .version = "3"};
    return write([&](sql::Txn& txn) { return store::add_alert(txn, alert); }).value();
  };
  EXPECT_TRUE(add("drift.detected", "a"));
  EXPECT_FALSE(add("drift.detected", "a"));
  EXPECT_TRUE(add("quality.degraded", "a"));
  EXPECT_TRUE(add("drift.detected", "b"));
  const auto list = [&](std::string_view endpoint, std::int64_t before) {
    return read([&](sql::Reader& reader) { return store::alerts(reader, endpoint, before, 10); });
  };
  EXPECT_EQ(list("flights", 0)->size(), 3u);
  EXPECT_EQ(list("", 0)->front().window_id, "b");
  EXPECT_EQ(list("", list("", 0)->front().id)->size(), 2u);
  EXPECT_TRUE(list("other", 0)->empty());
}

TEST_P(MonitorStoreTest, remembers_up_to_where_windows_are_closed) {
  const auto until = [&] {
    return read([](sql::Reader& reader) { return store::closed_until(reader, "flights"); }).value();
  };
  EXPECT_EQ(until(), std::nullopt);
  for (const std::int64_t ms : {100, 200}) {
    ASSERT_TRUE(database_
                    ->transaction(
                        [&](sql::Txn& txn) { return store::set_closed_until(txn, "flights", ms); })
                    .ok());
    EXPECT_EQ(until(), ms);
  }
}

}  // namespace
}  // namespace ciclo::monitor
