// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sql/postgres.h"
#include "sql/test_database.h"

// Transactions that share a commit on PostgreSQL.

namespace ciclo::sql {
namespace {

using Body = std::function<Result<void>(Txn&)>;

class PostgresGroup : public testing::Test {
 protected:
  void SetUp() override {
    if (test_postgres_url() == nullptr) GTEST_SKIP() << "CICLO_TEST_POSTGRES_URL is not set";
    place_.emplace(Engine::kPostgres);
    // Nobody is succeeded, and no group closed, because the machine is slow.
    open_with(60'000);
    ASSERT_TRUE(
        database_->transaction(sets("CREATE TABLE items (id TEXT PRIMARY KEY, n BIGINT)")).ok());
    ASSERT_TRUE(database_->transaction(sets("INSERT INTO items VALUES ('a', 0), ('b', 0)")).ok());
  }

  void open_with(int stuck_ms) {
    PostgresOptions options;
    options.url = place_->url();
    options.stuck_ms = stuck_ms;
    options.group_ms_max = 60'000;
    auto opened = open_postgres(options);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    database_ = std::move(opened).value();
  }

  static Body sets(std::string text) {
    return [text](Txn& txn) -> Result<void> {
      TRY(txn.execute(text));
      return {};
    };
  }

  // Runs `leader`, and the others once it runs, so that they join its group.
  std::vector<Result<void>> run_together(const Body& leader, const std::vector<Body>& others) {
    std::vector<Result<void>> results(others.size() + 1);
    std::vector<std::thread> threads;
    bool have_come = false;
    results[0] = database_->transaction([&](Txn& txn) -> Result<void> {
      for (std::size_t i = 0; !have_come && i < others.size(); ++i) {
        threads.emplace_back([&, i] { results[i + 1] = database_->transaction(others[i]); });
        while (database_->stats().waiting < i + 1) std::this_thread::yield();
      }
      have_come = true;
      return leader(txn);
    });
    for (auto& thread : threads) thread.join();
    return results;
  }

  std::string items() {
    std::string out;
    const auto read = database_->read([&](Reader& reader) {
      return reader.query("SELECT id, n FROM items ORDER BY id", {},
                          [&](const Row& row) -> Result<void> {
                            out += row.string(0) + std::to_string(row.integer(1)) + " ";
                            return {};
                          });
    });
    EXPECT_TRUE(read.ok());
    return out;
  }

  std::optional<TestDatabase> place_;
  std::unique_ptr<Database> database_;
};

constexpr const char* kAddToA = "UPDATE items SET n = n + 1 WHERE id = 'a'";

TEST_F(PostgresGroup, those_that_come_at_once_share_a_commit) {
  const auto before = database_->stats();
  const auto results = run_together(sets(kAddToA), std::vector<Body>(9, sets(kAddToA)));
  for (const auto& result : results) EXPECT_TRUE(result.ok());
  const auto after = database_->stats();
  EXPECT_EQ(after.transactions - before.transactions, 10U);
  EXPECT_EQ(after.commits - before.commits, 1U);
  EXPECT_EQ(after.retries, 0U);
  EXPECT_EQ(items(), "a10 b0 ");
}

TEST_F(PostgresGroup, one_that_fails_takes_no_other_with_it) {
  const Body refuses = [](Txn&) -> Result<void> { return not_found("no such thing"); };
  const Body regrets = [](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO items VALUES ('regretted', 1)"));
    return invalid_argument("regretted");
  };
  const Body regrets_a_query = [](Txn& txn) -> Result<void> {
    TRY(txn.query("INSERT INTO items VALUES ('regretted', 1) RETURNING n", {},
                  [](const Row&) { return Result<void>(); }));
    return invalid_argument("regretted");
  };
  const auto results =
      run_together(sets(kAddToA), {refuses, sets(kAddToA), regrets, sets(kAddToA), regrets_a_query,
                                   sets("INSERT INTO items VALUES ('a', 7)"), sets(kAddToA)});
  std::string codes;
  for (const auto& result : results)
    codes += result.ok() ? "ok " : std::to_string(static_cast<int>(result.error().code)) + " ";
  const auto code = [](Code one) { return std::to_string(static_cast<int>(one)) + " "; };
  EXPECT_EQ(codes, "ok " + code(Code::kNotFound) + "ok " + code(Code::kInvalidArgument) + "ok " +
                       code(Code::kInvalidArgument) + code(Code::kAlreadyExists) + "ok ");
  EXPECT_EQ(items(), "a4 b0 ");
}

// Nobody waits for what `write` does: its failure shows while the next one runs, or at the end.
TEST_F(PostgresGroup, a_write_that_fails_late_takes_no_other_with_it) {
  const Body writes = [](Txn& txn) { return txn.write(kAddToA, {}); };
  const Body repeats = [](Txn& txn) { return txn.write("INSERT INTO items VALUES ('a', 7)", {}); };
  for (const auto& others : std::vector<std::vector<Body>>{{writes, repeats, writes},
                                                           {writes, writes, repeats},
                                                           {repeats, sets(kAddToA), writes}}) {
    const std::string before = items();
    const auto results = run_together(writes, others);
    int failed = 0;
    for (std::size_t i = 0; i < others.size(); ++i) {
      const auto& result = results[i + 1];
      if (result.ok()) continue;
      failed += 1;
      EXPECT_EQ(result.error().code, Code::kAlreadyExists) << result.error().message;
    }
    EXPECT_TRUE(results[0].ok());
    EXPECT_EQ(failed, 1) << before;
  }
  EXPECT_EQ(items(), "a9 b0 ");
}

TEST_F(PostgresGroup, a_leader_whose_write_fails_late_takes_no_other_with_it) {
  const Body writes = [](Txn& txn) { return txn.write(kAddToA, {}); };
  const auto results =
      run_together([](Txn& txn) { return txn.write("INSERT INTO items VALUES ('a', 7)", {}); },
                   {writes, writes});
  ASSERT_FALSE(results[0].ok());
  EXPECT_EQ(results[0].error().code, Code::kAlreadyExists);
  EXPECT_TRUE(results[1].ok());
  EXPECT_TRUE(results[2].ok());
  EXPECT_EQ(items(), "a2 b0 ");
}

TEST_F(PostgresGroup, a_leader_that_fails_takes_no_other_with_it) {
  int runs = 0;
  const Body fails_late = [&runs](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO items VALUES ('regretted', 1)"));
    if (++runs == 1) return {};
    return invalid_argument("regretted");
  };
  // The other's failure makes the group run again, in which the leader fails.
  const auto results =
      run_together(fails_late, {sets("INSERT INTO items VALUES ('a', 7)"), sets(kAddToA)});
  ASSERT_FALSE(results[0].ok());
  EXPECT_EQ(results[0].error().message, "regretted");
  EXPECT_FALSE(results[1].ok());
  EXPECT_TRUE(results[2].ok());
  EXPECT_EQ(items(), "a1 b0 ");
}

TEST_F(PostgresGroup, a_group_that_meets_another_server_runs_again_and_counts_once) {
  auto opened = open(place_->url());
  ASSERT_TRUE(opened.ok());
  Database& other_server = **opened;
  int runs = 0;
  const Body meets = [&](Txn& txn) -> Result<void> {
    TRY(txn.query_one("SELECT n FROM items WHERE id = 'b'", {}, [](const Row&) { return 0; }));
    if (++runs == 1) TRY(other_server.transaction(sets("UPDATE items SET n = 5 WHERE id = 'b'")));
    TRY(txn.execute("UPDATE items SET n = n + 1 WHERE id = 'b'"));
    return {};
  };
  const auto results = run_together(sets(kAddToA), {sets(kAddToA), meets, sets(kAddToA)});
  for (const auto& result : results) EXPECT_TRUE(result.ok());
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(database_->stats().retries, 1U);
  EXPECT_EQ(items(), "a3 b6 ");
}

TEST_F(PostgresGroup, a_long_transaction_holds_up_no_other) {
  open_with(5);
  std::latch others_are_done(3);
  const Body others = [](Txn& txn) -> Result<void> {
    TRY(txn.execute("INSERT INTO items SELECT 'c' || COUNT(*), 0 FROM items"));
    return {};
  };
  std::vector<std::thread> threads;
  const auto done = database_->transaction([&](Txn& txn) -> Result<void> {
    TRY(txn.execute(kAddToA));
    while (threads.size() < 3) {
      threads.emplace_back([&] {
        EXPECT_TRUE(database_->transaction(others).ok());
        others_are_done.count_down();
      });
    }
    others_are_done.wait();
    return {};
  });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(items(), "a1 b0 c20 c30 c40 ");
}

TEST_F(PostgresGroup, many_threads_lose_nothing) {
  open_with(1);
  constexpr int kThreads = 16;
  constexpr int kEach = 25;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const bool bad = (t + i) % 5 == 0;
        const auto done = database_->transaction([&](Txn& txn) -> Result<void> {
          TRY(txn.execute(kAddToA));
          if (bad) return invalid_argument("this one changes its mind");
          return {};
        });
        if (!done.ok()) {
          EXPECT_EQ(done.error().code, Code::kInvalidArgument) << done.error().message;
          failed += 1;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, kThreads * kEach / 5);
  EXPECT_EQ(items(), "a" + std::to_string(kThreads * kEach * 4 / 5) + " b0 ");
}

}  // namespace
}  // namespace ciclo::sql
