// SPDX-License-Identifier: Apache-2.0
#include "sql/sqlite.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/killed_process.h"
#include "base/random.h"
#include "base/recorded_sync.h"
#include "sql/open.h"

namespace {

// The beginning of the statements that fail as if the disk had; empty: none. They are not run.
std::atomic<const char*> g_failing_statement{""};

// How often statements were planned anew after their parameters changed.
std::atomic<int> g_planned_again{0};

}  // namespace

// The linker leads SQLite's callers here (see src/CMakeLists.txt), by names that are its own.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __real_sqlite3_step(sqlite3_stmt* statement);
extern "C" int __wrap_sqlite3_step(sqlite3_stmt* statement) {
  // NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
  const std::string_view failing = g_failing_statement.load();
  const std::string_view text = sqlite3_sql(statement);
  if (!failing.empty() && text.starts_with(failing)) return SQLITE_IOERR;
  const int stepped = __real_sqlite3_step(statement);  // NOLINT(readability-identifier-naming)
  g_planned_again += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_REPREPARE, 1);
  return stepped;
}

namespace ciclo::sql {
namespace {

// Statements that begin so fail while this lives.
class FailingStatement {
 public:
  explicit FailingStatement(const char* beginning) { g_failing_statement = beginning; }
  ~FailingStatement() { g_failing_statement = ""; }
  FailingStatement(const FailingStatement&) = delete;
  FailingStatement& operator=(const FailingStatement&) = delete;
};

class Sqlite : public testing::Test {
 protected:
  Sqlite() { reopen(patient()); }

  // Groups are limited by count alone, so that the tests do not depend on time.
  static SqliteOptions patient() {
    SqliteOptions options;
    options.group_ms_max = 1'000'000;
    return options;
  }

  void reopen(SqliteOptions options) {
    database_.reset();
    options.path = path().string();
    auto opened = open_sqlite(options);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = std::move(opened).value();
  }

  std::filesystem::path path() const { return folder_.path() / "deep" / "test.db"; }

  Result<void> execute(std::string_view text) {
    return database_->transaction([&](Txn& txn) -> Result<void> {
      TRY(txn.execute(text));
      return {};
    });
  }

  std::vector<std::int64_t> items() {
    const auto all = database_->view([](Reader& reader) {
      return reader.query_all("SELECT n FROM items ORDER BY n", {},
                              [](const Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(all.ok());
    return all.ok() ? *all : std::vector<std::int64_t>{};
  }

  // Holds the writer thread in an empty first transaction until `bodies` wait behind it; all are
  // then in its group. The results, in the order of the bodies.
  std::vector<Result<void>> run_together(
      const std::vector<std::function<Result<void>(Txn&)>>& bodies) {
    std::vector<Result<void>> results(bodies.size());
    std::latch holding(1);
    std::latch release(1);
    std::thread holder([&] {
      [[maybe_unused]] const auto held = database_->transaction([&](Txn&) -> Result<void> {
        holding.count_down();
        release.wait();
        return {};
      });
    });
    holding.wait();
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = database_->transaction(bodies[i]); });
      while (database_->stats().waiting <= i) std::this_thread::yield();
    }
    release.count_down();
    holder.join();
    for (auto& thread : threads) thread.join();
    return results;
  }

  TemporaryDirectory folder_;
  std::unique_ptr<Database> database_;
};

std::function<Result<void>(Txn&)> insert(std::int64_t n) {
  return [n](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO items (n) VALUES ($1)", {n}));
    return {};
  };
}

TEST_F(Sqlite, transactions_that_wait_share_one_commit) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  const auto before = database_->stats();
  const auto results = run_together({insert(1), insert(2), insert(3), insert(4), insert(5)});
  for (const auto& result : results) EXPECT_TRUE(result.ok());
  const auto after = database_->stats();
  EXPECT_EQ(after.transactions - before.transactions, 6U);
  EXPECT_EQ(after.commits - before.commits, 1U);
  EXPECT_EQ(items(), (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

TEST_F(Sqlite, a_failing_member_undoes_only_its_own_part_of_the_group) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  const auto fail_late = [](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO items (n) VALUES (99)"));
    return not_found("late");
  };
  const auto swallow = [](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO items (n) VALUES (98)"));
    const auto ignored = txn.execute("INSERT INTO items (n) VALUES (1)");
    EXPECT_FALSE(ignored.ok());
    return {};
  };
  const auto results =
      run_together({insert(1), fail_late, insert(2), insert(2), swallow, insert(3)});
  EXPECT_TRUE(results[0].ok());
  EXPECT_EQ(results[1].error().code, Code::kNotFound);
  EXPECT_TRUE(results[2].ok());
  EXPECT_EQ(results[3].error().code, Code::kAlreadyExists);
  EXPECT_EQ(results[4].error().code, Code::kAlreadyExists);
  EXPECT_TRUE(results[5].ok());
  EXPECT_EQ(items(), (std::vector<std::int64_t>{1, 2, 3}));
}

TEST_F(Sqlite, a_member_that_cannot_be_undone_takes_the_whole_group_with_it) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  const auto fail_late = [](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO items (n) VALUES (99)"));
    return not_found("late");
  };
  {
    const FailingStatement failing("ROLLBACK TO");
    const auto results = run_together({insert(1), fail_late});
    EXPECT_EQ(results[0].error().code, Code::kUnavailable);
    EXPECT_EQ(results[1].error().code, Code::kNotFound);
  }
  {
    const FailingStatement failing("RELEASE");
    const auto results = run_together({insert(1)});
    EXPECT_FALSE(results[0].ok());
  }
  EXPECT_TRUE(items().empty()) << "an answered error must not be committed";
  EXPECT_TRUE(database_->transaction(insert(5)).ok()) << "the next group is not hurt";
  EXPECT_EQ(items(), std::vector<std::int64_t>{5});
}

TEST_F(Sqlite, a_connection_that_cannot_roll_back_is_replaced) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  {
    const FailingStatement failing("ROLLBACK");
    const auto failed = database_->transaction([](Txn& txn) -> Result<void> {
      TRY(txn.execute("INSERT INTO items (n) VALUES (99)"));
      return not_found("late");
    });
    EXPECT_EQ(failed.error().code, Code::kNotFound);
  }
  EXPECT_TRUE(database_->transaction(insert(5)).ok());
  EXPECT_EQ(items(), std::vector<std::int64_t>{5});
}

TEST_F(Sqlite, a_reader_whose_end_fails_is_not_used_again) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  {
    const FailingStatement failing("COMMIT");
    const auto read = database_->read([](Reader& reader) {
      return reader.query("SELECT n FROM items", {}, [](const Row&) -> Result<void> { return {}; });
    });
    EXPECT_FALSE(read.ok());
  }
  ASSERT_TRUE(database_->transaction(insert(1)).ok());
  EXPECT_EQ(items(), std::vector<std::int64_t>{1}) << "not the snapshot of the failed read";
}

TEST_F(Sqlite, the_folders_of_a_new_file_are_durable) {
  EXPECT_TRUE(RecordedSync::has(folder_.path())) << "which holds the name of the folder `deep`";
}

// A deferred reference is checked by COMMIT, which makes a commit fail at will.
TEST_F(Sqlite, a_failing_commit_fails_the_whole_group) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  ASSERT_TRUE(execute("CREATE TABLE refs (n BIGINT REFERENCES items (n) "
                      "DEFERRABLE INITIALLY DEFERRED)")
                  .ok());
  const auto dangle = [](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO refs (n) VALUES (77)"));
    return {};
  };
  const auto results = run_together({insert(1), dangle, insert(2)});
  for (const auto& result : results) EXPECT_EQ(result.error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(items().empty());
  EXPECT_TRUE(database_->transaction(insert(5)).ok()) << "the next group is not hurt";
}

TEST_F(Sqlite, groups_are_limited) {
  SqliteOptions options = patient();
  options.group_max = 3;
  reopen(options);
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  const auto before = database_->stats().commits;
  for (const auto& result : run_together({insert(1), insert(2), insert(3), insert(4), insert(5)})) {
    EXPECT_TRUE(result.ok());
  }
  EXPECT_EQ(database_->stats().commits - before, 2U) << "the holder and two, then three";
}

TEST_F(Sqlite, a_full_queue_refuses) {
  SqliteOptions options;
  options.queue_max = 1;
  reopen(options);
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  Result<void> refused;
  std::latch holding(1);
  std::latch release(1);
  std::thread holder([&] {
    EXPECT_TRUE(database_
                    ->transaction([&](Txn&) -> Result<void> {
                      holding.count_down();
                      release.wait();
                      return {};
                    })
                    .ok());
  });
  holding.wait();
  std::thread waiter([&] { EXPECT_TRUE(database_->transaction(insert(1)).ok()); });
  while (database_->stats().waiting == 0) std::this_thread::yield();
  refused = database_->transaction(insert(2));
  release.count_down();
  holder.join();
  waiter.join();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
}

TEST_F(Sqlite, rows_that_no_index_led_to_are_counted) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY, other BIGINT)").ok());
  for (int n = 0; n < 10; ++n) ASSERT_TRUE(database_->transaction(insert(n)).ok());
  const auto scanned_by = [&](std::string_view statement) {
    const auto before = database_->stats().full_scan_rows;
    EXPECT_TRUE(database_
                    ->read([&](Reader& reader) {
                      return reader.query(statement, {},
                                          [](const Row&) -> Result<void> { return {}; });
                    })
                    .ok());
    return database_->stats().full_scan_rows - before;
  };
  EXPECT_EQ(scanned_by("SELECT other FROM items WHERE n = 5"), 0U);
  EXPECT_GE(scanned_by("SELECT n FROM items WHERE other = 5"), 9U);
}

TEST_F(Sqlite, what_was_written_is_there_after_reopening) {
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  ASSERT_TRUE(database_->transaction(insert(7)).ok());
  reopen({});
  EXPECT_EQ(items(), (std::vector<std::int64_t>{7}));
}

TEST_F(Sqlite, another_process_that_holds_the_file_makes_writes_unavailable) {
  SqliteOptions options;
  options.busy_timeout_ms = 1;
  reopen(options);
  ASSERT_TRUE(execute("CREATE TABLE items (n BIGINT PRIMARY KEY)").ok());
  options.path = path().string();
  auto other = open_sqlite(options);
  ASSERT_TRUE(other.ok());
  Result<void> blocked;
  ASSERT_TRUE((*other)
                  ->transaction([&](Txn&) -> Result<void> {
                    std::thread([&] { blocked = database_->transaction(insert(1)); }).join();
                    return {};
                  })
                  .ok());
  ASSERT_FALSE(blocked.ok());
  EXPECT_EQ(blocked.error().code, Code::kUnavailable);
  EXPECT_TRUE(database_->transaction(insert(1)).ok());
}

TEST_F(Sqlite, a_file_that_is_no_database_is_refused) {
  const auto file = folder_.path() / "notes.txt";
  ASSERT_TRUE(write_file_durably(file, std::string(5000, 'x')).ok());
  SqliteOptions options;
  options.path = file.string();
  const auto opened = open_sqlite(options);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kDataLoss);
  EXPECT_NE(opened.error().message.find("notes.txt"), std::string::npos);
}

// Each transaction writes a row to two tables, so that half of one would show. Several threads
// write, so that groups have many members.
void write_for_ever(const std::string& path, int round,
                    const std::function<void(std::string_view)>& tell) {
  auto database = open_sqlite({path});
  if (!database.ok()) return;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0;; ++i) {
        const std::string id =
            std::to_string(round) + "-" + std::to_string(t) + "-" + std::to_string(i);
        const auto done = (*database)->transaction([&](Txn& txn) -> Result<void> {
          TRY(txn.execute("INSERT INTO left_rows (id) VALUES ($1)", {id}));
          TRY(txn.execute("INSERT INTO right_rows (id) VALUES ($1)", {id}));
          return {};
        });
        if (!done.ok()) return;
        tell(id);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(Sqlite, everything_acknowledged_survives_kill_9_and_nothing_half_done_shows) {
  ASSERT_TRUE(execute("CREATE TABLE left_rows (id TEXT PRIMARY KEY)").ok());
  ASSERT_TRUE(execute("CREATE TABLE right_rows (id TEXT PRIMARY KEY)").ok());
  database_.reset();  // its thread must not be forked
  SeededRandom random(11);
  std::vector<std::string> acknowledged;
  for (int round = 0; round < 10; ++round) {
    const auto lines = kill_in_the_middle(1 + random.below(60), [&](const auto& tell) {
      write_for_ever(path().string(), round, tell);
    });
    acknowledged.insert(acknowledged.end(), lines.begin(), lines.end());
  }
  reopen({});
  const auto ids = [&](std::string_view statement) {
    const auto all = database_->view([&](Reader& reader) {
      return reader.query_all(statement, {}, [](const Row& row) { return row.string(0); });
    });
    EXPECT_TRUE(all.ok());
    return std::set<std::string>(all->begin(), all->end());
  };
  const auto left = ids("SELECT id FROM left_rows");
  EXPECT_EQ(left, ids("SELECT id FROM right_rows"));
  EXPECT_EQ(ids("PRAGMA integrity_check"), std::set<std::string>{"ok"});
  EXPECT_GE(acknowledged.size(), 10U);
  for (const auto& id : acknowledged) EXPECT_TRUE(left.contains(id)) << id;
}

TEST_F(Sqlite, the_page_cache_is_as_large_as_asked) {
  const auto cache_size = [this] {
    const auto found = database_->view([](Reader& reader) {
      return reader.query_one("PRAGMA cache_size", {},
                              [](const Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(found.ok());
    return found.ok() ? found->value_or(0) : 0;
  };
  EXPECT_NE(cache_size(), -8192);
  SqliteOptions options = patient();
  options.cache_bytes_max = 8 << 20;
  reopen(options);
  EXPECT_EQ(cache_size(), -8192);
}

TEST_F(Sqlite, what_is_chosen_when_opening_reaches_the_engine) {
  const std::string url = "sqlite:" + (folder_.path() / "chosen.db").string();
  OpenOptions chosen;
  chosen.cache_bytes_max = 4 << 20;
  const auto opened = open(url, chosen);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const auto found = (*opened)->view([](Reader& reader) {
    return reader.query_one("PRAGMA cache_size", {}, [](const Row& row) { return row.integer(0); });
  });
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->value_or(0), -4096);
}

TEST_F(Sqlite, a_statement_is_planned_once_whatever_its_parameters_are) {
  ASSERT_TRUE(execute("CREATE TABLE texts (number BIGINT PRIMARY KEY, text TEXT)").ok());
  g_planned_again = 0;
  for (const std::int64_t limit : {1, 100, 7}) {
    for (const std::string_view pattern : {"a%", "%b"}) {
      const auto read = database_->read([&](Reader& reader) {
        return reader.query(
            "SELECT text FROM texts WHERE number >= $1 AND text LIKE $2 ORDER BY number LIMIT $1",
            {limit, pattern}, [](const Row&) -> Result<void> { return {}; });
      });
      ASSERT_TRUE(read.ok()) << read.error().message;
    }
  }
  EXPECT_EQ(g_planned_again, 0);
}

}  // namespace
}  // namespace ciclo::sql
