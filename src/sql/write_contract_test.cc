// SPDX-License-Identifier: Apache-2.0
//
// What every engine promises of statements that nobody waits for and of walks along an index, as
// contract_test.cc has it for the rest.

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "sql/database.h"
#include "sql/test_database.h"

namespace ciclo::sql {
namespace {

using std::string_view_literals::operator""sv;

class WriteContract : public testing::TestWithParam<Engine> {
 protected:
  WriteContract() {
    const auto made = database().transaction([](Txn& txn) {
      return txn.write("CREATE TABLE items (id TEXT PRIMARY KEY, n BIGINT)", {});
    });
    EXPECT_TRUE(made.ok()) << made.error().message;
  }

  std::int64_t count() {
    const auto counted = database().view([](Reader& reader) {
      return reader.query_one("SELECT COUNT(*) FROM items", {},
                              [](const Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(counted.ok());
    return counted.ok() ? **counted : -1;
  }

  Database& database() { return *database_; }

 private:
  TestDatabase database_{GetParam()};
};

TEST_P(WriteContract, writes_that_nobody_waits_for_are_seen_by_what_follows) {
  std::vector<Params> rows;
  for (std::int64_t i = 0; i < 1'234; ++i) rows.push_back({"w" + std::to_string(i), i});
  std::vector<std::string> names;
  for (auto& row : rows) names.push_back("w" + std::to_string(std::get<std::int64_t>(row[1])));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i][0] = std::string_view(names[i]);
  const auto done = database().transaction([&](Txn& txn) -> Result<void> {
    TRY(txn.write("INSERT INTO items (id, n) VALUES ($1, $2)", {"first"sv, std::int64_t{1}}));
    TRY(txn.write_many("INSERT INTO items (id, n) VALUES ($1, $2)", rows));
    TRY(txn.write_many("INSERT INTO items (id, n) VALUES ($1, $2)", {}));
    // The number is that of this statement alone.
    TRY(const std::int64_t changed, txn.execute("UPDATE items SET n = 5 WHERE id = 'w7'"));
    EXPECT_EQ(changed, 1);
    TRY(txn.write("UPDATE items SET n = 6 WHERE id = 'w8'", {}));
    TRY(const auto sizes, txn.query_all("SELECT n FROM items WHERE id IN ('w7', 'w8') "
                                        "ORDER BY id",
                                        {}, [](const Row& row) { return row.integer(0); }));
    EXPECT_EQ(sizes, (std::vector<std::int64_t>{5, 6}));
    return txn.write("DELETE FROM items WHERE id = 'w9'", {});
  });
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(count(), 1'234);
}

TEST_P(WriteContract, a_write_that_fails_fails_its_transaction) {
  const std::string_view insert = "INSERT INTO items (id, n) VALUES ($1, $2)";
  const auto write_twice = [&](Txn& txn) -> Result<void> {
    TRY(txn.write(insert, {"twice"sv, std::int64_t{1}}));
    return txn.write(insert, {"twice"sv, std::int64_t{2}});
  };
  const auto at_the_end = database().transaction(write_twice);
  ASSERT_FALSE(at_the_end.ok());
  EXPECT_EQ(at_the_end.error().code, Code::kAlreadyExists) << at_the_end.error().message;
  const auto before_a_query = database().transaction([&](Txn& txn) -> Result<void> {
    TRY(write_twice(txn));
    return txn.query("SELECT 'a statement that is new to this connection'", {},
                     [](const Row&) { return Result<void>(); });
  });
  ASSERT_FALSE(before_a_query.ok());
  EXPECT_EQ(before_a_query.error().code, Code::kAlreadyExists) << before_a_query.error().message;
  const auto swallowed = database().transaction([&](Txn& txn) -> Result<void> {
    static_cast<void>(write_twice(txn));
    static_cast<void>(txn.execute(insert, {"other"sv, std::int64_t{1}}));
    return {};
  });
  EXPECT_FALSE(swallowed.ok());
  const auto with_a_nul = database().transaction([&](Txn& txn) -> Result<void> {
    return txn.write_many(
        insert, std::vector<Params>{{"good"sv, std::int64_t{1}}, {"b\0d"sv, std::int64_t{1}}});
  });
  ASSERT_FALSE(with_a_nul.ok());
  EXPECT_EQ(with_a_nul.error().code, Code::kInvalidArgument);
  EXPECT_EQ(count(), 0);
  // The statement that was not reached is still known to the database, or is made known anew.
  const auto again = database().read([&](Reader& reader) {
    return reader.query("SELECT 'a statement that is new to this connection'", {},
                        [](const Row&) { return Result<void>(); });
  });
  EXPECT_TRUE(again.ok()) << again.error().message;
}

TEST_P(WriteContract, a_write_inside_of_a_query_leaves_its_rows_alone) {
  ASSERT_TRUE(database()
                  .transaction([&](Txn& txn) -> Result<void> {
                    for (const auto name : {"a"sv, "b"sv, "c"sv}) {
                      TRY(txn.write("INSERT INTO items (id, n) VALUES ($1, 0)", {name}));
                    }
                    return {};
                  })
                  .ok());
  std::string seen;
  const auto done = database().transaction([&](Txn& txn) -> Result<void> {
    seen.clear();
    return txn.query("SELECT id FROM items ORDER BY id", {}, [&](const Row& row) -> Result<void> {
      seen += row.text(0);
      return txn.write("UPDATE items SET n = n + 1 WHERE id = $1", {row.text(0)});
    });
  });
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(seen, "abc");
  const auto sum = database().view([](Reader& reader) {
    return reader.query_one("SELECT CAST(SUM(n) AS BIGINT) FROM items", {},
                            [](const Row& row) { return row.integer(0); });
  });
  ASSERT_TRUE(sum.ok());
  EXPECT_EQ(*sum, 3);
}

TEST_P(WriteContract, a_walk_returns_the_first_rows_in_order_without_sorting_the_rest) {
  std::vector<Params> rows;
  std::deque<std::string> names;
  for (int i = 0; i < 5'000; ++i) {
    names.push_back("n" + std::to_string(i));
    rows.push_back({std::string_view(names.back()), std::int64_t{i * 7 % 5'000}});
  }
  const auto done = database().transaction([&](Txn& txn) -> Result<void> {
    TRY(txn.execute("CREATE INDEX items_by_n ON items (n)"));
    return txn.write_many("INSERT INTO items (id, n) VALUES ($1, $2)", rows);
  });
  ASSERT_TRUE(done.ok()) << done.error().message;
  const std::string statement = "SELECT n FROM items WHERE n >= 10 ORDER BY n, id LIMIT 3";
  std::vector<std::int64_t> sizes;
  std::string plan;
  // Nothing has told the database how many rows there are.
  const auto read = database().read([&](Reader& reader) -> Result<void> {
    TRY(reader.walk(statement, {}, [&](const Row& row) -> Result<void> {
      sizes.push_back(row.integer(0));
      return {};
    }));
    if (reader.engine() != Engine::kPostgres) return {};
    return reader.walk("EXPLAIN (COSTS OFF) " + statement, {}, [&](const Row& row) -> Result<void> {
      plan += row.string(0) + "\n";
      return {};
    });
  });
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{10, 11, 12}));
  if (database().engine() != Engine::kPostgres) return;
  EXPECT_NE(plan.find("items_by_n"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("->  Sort"), std::string::npos) << plan;
}

INSTANTIATE_TEST_SUITE_P(Engines, WriteContract, testing::ValuesIn(available_engines()),
                         engine_test_name);

}  // namespace
}  // namespace ciclo::sql
