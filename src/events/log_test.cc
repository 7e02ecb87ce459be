// SPDX-License-Identifier: Apache-2.0
#include "events/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "base/file.h"
#include "base/killed_process.h"
#include "base/random.h"
#include "sql/test_database.h"

namespace ciclo::events {
namespace {

class EventLog : public testing::TestWithParam<sql::Engine> {
 protected:
  EventLog() {
    const auto migrated = sql::migrate(*database_, schema());
    EXPECT_TRUE(migrated.ok()) << migrated.error().message;
  }

  Result<void> append(std::string_view kind, std::string_view subject) {
    return database_->transaction([&](sql::Txn& txn) {
      return log_.append(txn, "default", kind, subject, json::Value::object({{"n", 1}}));
    });
  }

  std::vector<std::string> subjects(std::int64_t after, int limit,
                                    std::span<const std::string_view> kinds = {}) {
    std::vector<std::string> all;
    const auto events = log_.read_after(after, limit, kinds);
    EXPECT_TRUE(events.ok());
    for (const auto& event : *events) all.push_back(event.subject);
    return all;
  }

  using Texts = std::vector<std::string>;

  sql::TestDatabase database_{GetParam()};
  SimClock clock_{5000};
  Log log_{*database_, clock_};
};

TEST_P(EventLog, gives_back_what_was_appended) {
  ASSERT_TRUE(append("drift.detected", "flights").ok());
  const auto events = log_.read_after(0, 10);
  ASSERT_EQ(events->size(), 1U);
  const Event& event = events->front();
  EXPECT_EQ(event.time_ms, 5000);
  EXPECT_EQ(event.workspace, "default");
  EXPECT_EQ(event.kind, "drift.detected");
  EXPECT_EQ(event.subject, "flights");
  EXPECT_EQ(event.body, json::Value::object({{"n", 1}}));
}

TEST_P(EventLog, an_event_is_there_if_and_only_if_its_change_is) {
  const auto failed = database_->transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(log_.append(txn, "default", "a.b", "gone", json::Value::object()));
    return cancelled("no");
  });
  EXPECT_FALSE(failed.ok());
  ASSERT_TRUE(append("a.b", "kept").ok());
  EXPECT_EQ(subjects(0, 10), (Texts{"kept"}));
}

TEST_P(EventLog, reads_after_an_id_in_order_and_by_kind) {
  for (const auto& [kind, subject] :
       {std::pair{"a.b", "1"}, {"c.d", "2"}, {"e.f", "3"}, {"a.b", "4"}}) {
    ASSERT_TRUE(append(kind, subject).ok());
  }
  EXPECT_EQ(subjects(0, 3), (Texts{"1", "2", "3"}));
  constexpr std::array<std::string_view, 2> kKinds = {"e.f", "a.b"};
  EXPECT_EQ(subjects(0, 10, kKinds), (Texts{"1", "3", "4"}));
  EXPECT_EQ(subjects(0, 2, kKinds), (Texts{"1", "3"}));
  const auto all = log_.read_after(0, 10);
  EXPECT_EQ(subjects((*all)[1].id, 10), (Texts{"3", "4"}));
}

TEST_P(EventLog, reading_follows_an_index) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(i % 2 == 0 ? "a.b" : "c.d", "x").ok());
  const auto before = database_->stats().full_scan_rows;
  constexpr std::array<std::string_view, 1> kKind = {"a.b"};
  EXPECT_EQ(subjects(10, 100).size(), 10U);
  EXPECT_EQ(subjects(10, 100, kKind).size(), 5U);
  EXPECT_EQ(*log_.cursor("trigger"), 0);
  EXPECT_EQ(database_->stats().full_scan_rows, before);
}

TEST_P(EventLog, cursors_move_with_the_consumers_transaction) {
  EXPECT_EQ(*log_.cursor("trigger"), 0);
  const auto undone = database_->transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(log_.advance(txn, "trigger", 3));
    return cancelled("no");
  });
  EXPECT_FALSE(undone.ok());
  EXPECT_EQ(*log_.cursor("trigger"), 0);
  for (const std::int64_t id : {4, 7}) {
    EXPECT_TRUE(*database_->transact(
        [&](sql::Txn& txn) -> Result<bool> { return log_.advance(txn, "trigger", id); }));
    EXPECT_EQ(*log_.cursor("trigger"), id);
  }
  EXPECT_EQ(*log_.cursor("other"), 0);
}

TEST_P(EventLog, cursors_never_move_back) {
  const auto advance = [&](std::int64_t id) {
    return *database_->transact(
        [&](sql::Txn& txn) -> Result<bool> { return log_.advance(txn, "trigger", id); });
  };
  EXPECT_TRUE(advance(7));
  EXPECT_FALSE(advance(7));
  EXPECT_FALSE(advance(4));
  EXPECT_EQ(*log_.cursor("trigger"), 7);
  EXPECT_TRUE(advance(8));
}

TEST_P(EventLog, wake_rouses_a_waiting_consumer) {
  std::uint64_t seen = 0;
  std::thread consumer([&] { log_.wait(seen, std::chrono::hours(1)); });
  log_.wake();
  consumer.join();
  EXPECT_EQ(seen, 1U);
  log_.wait(seen, std::chrono::milliseconds(0));
  EXPECT_EQ(seen, 1U);
}

// A consumer that follows the log while several threads append must see each event once, whatever
// the order of the commits.
TEST_P(EventLog, a_follower_misses_nothing_that_commits_late) {
  constexpr int kThreads = 4;
  constexpr int kEvents = 25;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEvents; ++i) {
        if (!append("a.b", std::to_string(t) + "/" + std::to_string(i)).ok()) ++failures;
      }
    });
  }
  std::vector<std::string> followed;
  std::int64_t last = 0;
  while (followed.size() < kThreads * kEvents && failures == 0) {
    const auto events = log_.read_after(last, 7);
    ASSERT_TRUE(events.ok());
    for (const auto& event : *events) {
      EXPECT_GT(event.id, last);
      last = event.id;
      followed.push_back(event.subject);
    }
    std::this_thread::yield();
    if (events->empty() && followed.size() < kThreads * kEvents) {
      const auto stored = log_.read_after(0, kThreads * kEvents);
      ASSERT_TRUE(stored.ok());
      ASSERT_TRUE(stored->size() < kThreads * kEvents || stored->back().id > last)
          << "all events are stored, the follower passed one by";
    }
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  std::ranges::sort(followed);
  EXPECT_EQ(std::ranges::unique(followed).size(), 0U);
}

// A change and its event: a row and an event with the same name, in one transaction.
void append_for_ever(const std::string& url, int round,
                     const std::function<void(std::string_view)>& tell) {
  auto database = sql::open(url);
  if (!database.ok()) return;
  SystemClock clock;
  Log log(**database, clock);
  for (int i = 0;; ++i) {
    const std::string name = std::to_string(round) + "-" + std::to_string(i);
    const auto done = (*database)->transaction([&](sql::Txn& txn) -> Result<void> {
      TRY(txn.execute("INSERT INTO changes (name) VALUES ($1)", {name}));
      return log.append(txn, "default", "a.b", name, json::Value::object());
    });
    if (!done.ok()) return;
    tell(name);
  }
}

TEST(EventLogKilled, changes_and_their_events_survive_kill_9_together) {
  const TemporaryDirectory folder;
  const std::string url = "sqlite:" + (folder.path() / "events.db").string();
  {
    const auto database = sql::open(url);
    ASSERT_TRUE(sql::migrate(**database, schema()).ok());
    ASSERT_TRUE((*database)
                    ->transaction([](sql::Txn& txn) -> Result<void> {
                      TRY(txn.execute("CREATE TABLE changes (name TEXT PRIMARY KEY)"));
                      return {};
                    })
                    .ok());
  }
  SeededRandom random(3);
  std::vector<std::string> acknowledged;
  for (int round = 0; round < 6; ++round) {
    const auto lines = kill_in_the_middle(
        1 + random.below(30), [&](const auto& tell) { append_for_ever(url, round, tell); });
    acknowledged.insert(acknowledged.end(), lines.begin(), lines.end());
  }
  const auto database = sql::open(url);
  SystemClock clock;
  Log log(**database, clock);
  const auto changes = (*database)->view([](sql::Reader& reader) {
    return reader.query_all("SELECT name FROM changes ORDER BY rowid", {},
                            [](const sql::Row& row) { return row.string(0); });
  });
  const auto events = log.read_after(0, 1'000'000);
  ASSERT_TRUE(changes.ok());
  ASSERT_TRUE(events.ok());
  std::vector<std::string> subjects;
  for (const auto& event : *events) subjects.push_back(event.subject);
  EXPECT_EQ(subjects, *changes);
  for (const auto& name : acknowledged)
    EXPECT_TRUE(std::ranges::count(subjects, name) == 1) << name;
}

INSTANTIATE_TEST_SUITE_P(Engines, EventLog, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::events
