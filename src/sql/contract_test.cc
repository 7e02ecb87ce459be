// SPDX-License-Identifier: Apache-2.0
//
// What every engine promises, run over all that are available: SQLite always, PostgreSQL when
// CICLO_TEST_POSTGRES_URL names a server (tests/tools/postgres.py starts one).

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include "base/pattern.h"
#include "base/test_patterns.h"
#include "sql/database.h"
#include "sql/dialect.h"
#include "sql/test_database.h"

namespace ciclo::sql {
namespace {

class Contract : public testing::TestWithParam<Engine> {
 protected:
  Contract() {
    execute(
        "CREATE TABLE items (id TEXT PRIMARY KEY, n BIGINT, x DOUBLE PRECISION, t TEXT, b BYTES)");
  }

  void execute(std::string_view text, const Params& params = {}) {
    const auto done = database().transaction([&](Txn& txn) -> Result<void> {
      TRY(txn.execute(translate(text, txn.engine()), params));
      return {};
    });
    ASSERT_TRUE(done.ok()) << done.error().message;
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

Result<void> insert(Txn& txn, std::string_view id, std::int64_t n) {
  TRY(txn.execute("INSERT INTO items (id, n) VALUES ($1, $2)", {id, n}));
  return {};
}

TEST_P(Contract, values_come_back_as_they_went_in) {
  const std::string binary("a\0\xff\x80", 4);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(binary));
  const std::int64_t big = std::numeric_limits<std::int64_t>::min();
  const double x = 0.1 + 0.2;
  execute("INSERT INTO items (id, n, x, t, b) VALUES ($1, $2, $3, $4, $5)",
          {"ünï 'q'", big, x, "", bytes});
  execute("INSERT INTO items (id, n, x) VALUES ($1, $2, $3)",
          {"infinite", std::numeric_limits<std::int64_t>::max(),
           -std::numeric_limits<double>::infinity()});
  std::vector<std::string> seen;
  const auto read = database().read([&](Reader& reader) {
    return reader.query("SELECT id, n, x, t, b FROM items ORDER BY id DESC", {},
                        [&](const Row& row) -> Result<void> {
                          seen.push_back(row.string(0));
                          if (seen.size() == 1) {
                            EXPECT_EQ(row.integer(1), big);
                            EXPECT_EQ(row.number(2), x);
                            EXPECT_FALSE(row.is_null(3));
                            EXPECT_EQ(row.text(3), "");
                            EXPECT_TRUE(std::ranges::equal(row.blob(4), bytes));
                          } else {
                            EXPECT_EQ(row.integer(1), std::numeric_limits<std::int64_t>::max());
                            EXPECT_EQ(row.number(2), -std::numeric_limits<double>::infinity());
                            EXPECT_TRUE(row.is_null(3));
                            EXPECT_TRUE(row.is_null(4));
                            EXPECT_EQ(row.optional_string(3), std::nullopt);
                          }
                          return {};
                        });
  });
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(seen, (std::vector<std::string>{"ünï 'q'", "infinite"}));
}

TEST_P(Contract, null_reads_as_zero_and_empty) {
  execute("INSERT INTO items (id) VALUES ('a')");
  const auto read = database().read([&](Reader& reader) {
    return reader.query("SELECT n, x, t, b FROM items", {}, [&](const Row& row) -> Result<void> {
      EXPECT_EQ(row.integer(0), 0);
      EXPECT_EQ(row.number(1), 0);
      EXPECT_EQ(row.text(2), "");
      EXPECT_TRUE(row.blob(3).empty());
      EXPECT_EQ(row.optional_number(1), std::nullopt);
      return {};
    });
  });
  EXPECT_TRUE(read.ok());
}

TEST_P(Contract, numbers_convert_between_types) {
  execute("INSERT INTO items (id, n, x, t) VALUES ('a', 7, 2.75, '12')");
  const auto read = database().read([&](Reader& reader) {
    return reader.query("SELECT n, x, t, n > 3, n < 3 FROM items", {},
                        [&](const Row& row) -> Result<void> {
                          EXPECT_EQ(row.number(0), 7.0);
                          EXPECT_EQ(row.text(0), "7");
                          EXPECT_EQ(row.integer(1), 2);
                          EXPECT_EQ(row.integer(2), 12);
                          EXPECT_TRUE(row.boolean(3));
                          EXPECT_FALSE(row.boolean(4));
                          return {};
                        });
  });
  EXPECT_TRUE(read.ok());
}

TEST_P(Contract, not_a_number_is_stored_as_null) {
  execute("INSERT INTO items (id, x) VALUES ('a', $1)", {std::nan("")});
  const auto null = database().view([](Reader& reader) {
    return reader.query_one("SELECT x FROM items", {},
                            [](const Row& row) { return row.is_null(0); });
  });
  ASSERT_TRUE(null.ok());
  EXPECT_TRUE(**null);
}

TEST_P(Contract, parameters_may_repeat_and_come_in_any_order) {
  const auto row = database().view([](Reader& reader) {
    return reader.query_one("SELECT CAST($2 AS TEXT) || CAST($1 AS TEXT) || CAST($2 AS TEXT)",
                            {"a", "b"}, [](const Row& found) { return found.string(0); });
  });
  ASSERT_TRUE(row.ok()) << row.error().message;
  EXPECT_EQ(**row, "bab");
}

TEST_P(Contract, a_wrong_number_of_parameters_is_a_bug_in_the_statement) {
  const auto few = database().read([](Reader& reader) {
    return reader.query("SELECT id FROM items WHERE id = $1 AND n = $2", {"a"},
                        [](const Row&) -> Result<void> { return {}; });
  });
  ASSERT_FALSE(few.ok());
  EXPECT_EQ(few.error().code, Code::kInternal);
}

TEST_P(Contract, text_with_a_nul_character_is_refused) {
  const auto done =
      database().transaction([](Txn& txn) { return insert(txn, std::string_view("a\0b", 3), 1); });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kInvalidArgument);
}

TEST_P(Contract, execute_counts_changed_rows) {
  const auto done = database().transaction([](Txn& txn) -> Result<void> {
    TRY(insert(txn, "a", 1));
    TRY(insert(txn, "b", 1));
    TRY(const auto updated, txn.execute("UPDATE items SET n = $1", {std::int64_t{2}}));
    EXPECT_EQ(updated, 2);
    TRY(const auto untouched, txn.execute("DELETE FROM items WHERE id = 'c'"));
    EXPECT_EQ(untouched, 0);
    TRY(const auto ignored,
        txn.execute("INSERT INTO items (id) VALUES ('a') ON CONFLICT (id) DO NOTHING"));
    EXPECT_EQ(ignored, 0);
    TRY(const auto created, txn.execute("CREATE TABLE other (id BIGINT)"));
    EXPECT_EQ(created, 0);
    return {};
  });
  EXPECT_TRUE(done.ok()) << done.error().message;
}

TEST_P(Contract, execute_many_writes_all_rows) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3000; ++i) ids.push_back("id" + std::to_string(i));
  std::vector<Params> rows;
  for (const auto& id : ids) rows.push_back({std::string_view(id), std::int64_t{1}, nullptr});
  const auto changed = database().transact([&](Txn& txn) {
    return txn.execute_many("INSERT INTO items (id, n, t) VALUES ($1, $2, $3)", rows);
  });
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_EQ(*changed, 3000);
  EXPECT_EQ(count(), 3000);
}

TEST_P(Contract, execute_many_stops_at_a_failing_row) {
  const std::vector<Params> rows = {{"a"}, {"b"}, {"a"}, {"c"}};
  const auto changed = database().transact(
      [&](Txn& txn) { return txn.execute_many("INSERT INTO items (id) VALUES ($1)", rows); });
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.error().code, Code::kAlreadyExists);
  EXPECT_EQ(count(), 0);
}

TEST_P(Contract, a_transaction_sees_its_own_writes) {
  const auto seen = database().transact([](Txn& txn) -> Result<std::optional<std::int64_t>> {
    TRY(insert(txn, "a", 5));
    return txn.query_one("SELECT n FROM items WHERE id = $1", {"a"},
                         [](const Row& row) { return row.integer(0); });
  });
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(*seen, 5);
}

TEST_P(Contract, a_failed_body_leaves_nothing) {
  const auto done = database().transaction([](Txn& txn) -> Result<void> {
    TRY(insert(txn, "a", 1));
    return not_found("enough");
  });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kNotFound);
  EXPECT_EQ(count(), 0);
}

TEST_P(Contract, a_throwing_body_is_an_error_and_leaves_nothing) {
  const auto done = database().transaction([](Txn& txn) -> Result<void> {
    TRY(insert(txn, "a", 1));
    throw std::runtime_error("surprise");
  });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kInternal);
  EXPECT_EQ(count(), 0);
}

TEST_P(Contract, a_failed_statement_dooms_the_transaction) {
  execute("INSERT INTO items (id, n) VALUES ('a', 1)");
  const auto done = database().transaction([](Txn& txn) -> Result<void> {
    TRY(insert(txn, "b", 1));
    const auto again = insert(txn, "a", 2);
    EXPECT_EQ(again.error().code, Code::kAlreadyExists);
    EXPECT_FALSE(insert(txn, "c", 1).ok());
    return {};
  });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kAlreadyExists);
  EXPECT_EQ(count(), 1);
}

TEST_P(Contract, violated_constraints_have_codes) {
  execute("CREATE TABLE parents (id TEXT PRIMARY KEY, age BIGINT NOT NULL CHECK (age > 0))");
  execute("CREATE TABLE children (id TEXT PRIMARY KEY, parent TEXT REFERENCES parents (id))");
  const auto code = [&](std::string_view statement) {
    const auto done = database().transaction([&](Txn& txn) -> Result<void> {
      TRY(txn.execute(statement));
      return {};
    });
    return done.ok() ? "ok" : code_name(done.error().code);
  };
  EXPECT_EQ(code("INSERT INTO parents VALUES ('a', 1)"), "ok");
  EXPECT_EQ(code("INSERT INTO parents VALUES ('a', 1)"), "already_exists");
  EXPECT_EQ(code("INSERT INTO parents VALUES ('b', NULL)"), "invalid_argument");
  EXPECT_EQ(code("INSERT INTO parents VALUES ('b', -1)"), "invalid_argument");
  EXPECT_EQ(code("INSERT INTO children VALUES ('c', 'nobody')"), "failed_precondition");
  EXPECT_EQ(code("INSERT INTO nowhere VALUES (1)"), "internal");
  EXPECT_EQ(code("SELEKT 1"), "internal");
  EXPECT_EQ(code("DELETE FROM parents; DELETE FROM children"), "internal");
}

TEST_P(Contract, upserts_and_returned_keys_work) {
  execute("CREATE TABLE log (id IDENTITY, t TEXT)");
  const auto append = [&](std::string_view text) {
    const auto id = database().transact([&](Txn& txn) {
      return txn.query_one("INSERT INTO log (t) VALUES ($1) RETURNING id", {text},
                           [](const Row& row) { return row.integer(0); });
    });
    return id.ok() && *id ? **id : -1;
  };
  EXPECT_EQ(append("a"), 1);
  EXPECT_EQ(append("b"), 2);
  execute("DELETE FROM log");
  EXPECT_EQ(append("c"), 3);
  execute("INSERT INTO items (id, n) VALUES ('a', 1)");
  execute(
      "INSERT INTO items (id, n) VALUES ('a', 5) "
      "ON CONFLICT (id) DO UPDATE SET n = items.n + excluded.n");
  const auto n = database().view([](Reader& reader) {
    return reader.query_one("SELECT n FROM items", {},
                            [](const Row& row) { return row.integer(0); });
  });
  EXPECT_EQ(**n, 6);
}

TEST_P(Contract, text_orders_by_byte_and_like_minds_the_case) {
  for (const std::string_view id : {"b", "B", "a_c", "abc", "Ä"}) {
    execute("INSERT INTO items (id) VALUES ($1)", {id});
  }
  const auto all = [&](std::string_view statement, const Params& params) {
    const auto found = database().view([&](Reader& reader) {
      return reader.query_all(statement, params, [](const Row& row) { return row.string(0); });
    });
    return found.ok() ? *found : std::vector<std::string>{found.error().message};
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(all("SELECT id FROM items ORDER BY id", {}), (Texts{"B", "a_c", "abc", "b", "Ä"}));
  EXPECT_EQ(all("SELECT id FROM items WHERE id LIKE $1 ESCAPE '\\'", {"B%"}), (Texts{"B"}));
  EXPECT_EQ(all("SELECT id FROM items WHERE id LIKE $1 ESCAPE '\\'", {escape_like("a_") + "%"}),
            (Texts{"a_c"}));
}

// On a database whose own order is a language's, "~" stands before every letter and "B" behind "b".
TEST_P(Contract, text_compares_by_byte_also_with_parameters_and_expressions) {
  for (const std::string_view id : {"a", "B", "Ä"}) {
    execute("INSERT INTO items (id) VALUES ($1)", {id});
  }
  const auto count = [&](std::string_view condition, std::string_view value) {
    const auto found = database().view([&](Reader& reader) {
      return reader.query_one("SELECT COUNT(*) FROM items WHERE " + std::string(condition), {value},
                              [](const Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() && *found ? **found : -1;
  };
  EXPECT_EQ(count("id < $1", "~"), 2) << "an umlaut has bytes above it";
  EXPECT_EQ(count("id < $1", "a"), 1);
  EXPECT_EQ(count("COALESCE(id, '') < $1", "a"), 1);
  EXPECT_EQ(count("LOWER(id) LIKE $1 ESCAPE '\\'", "Ä"), 1) << "case is that of ASCII";
  EXPECT_EQ(count("LOWER(id) LIKE $1 ESCAPE '\\'", "b"), 1);
}

TEST_P(Contract, a_pattern_finds_the_same_on_every_engine) {
  std::string wrong;
  for (const auto& example : pattern_examples()) {
    const auto pattern = Pattern::parse(example.pattern);
    ASSERT_TRUE(pattern.ok()) << pattern.error().message;
    const auto compare = [&](const std::vector<std::string>& texts, bool expected) {
      for (const auto& text : texts) {
        const auto found = database().transact([&](Txn& txn) -> Result<std::int64_t> {
          TRY(txn.execute("DELETE FROM items"));
          TRY(txn.execute("INSERT INTO items (id, t) VALUES ('a', $1), ('b', NULL)", {text}));
          TRY(const auto count,
              txn.query_one("SELECT COUNT(*) FROM items WHERE textregexeq(t, $1)",
                            {pattern->text()}, [](const Row& row) { return row.integer(0); }));
          return count.value_or(-1);
        });
        if (!found.ok()) wrong += found.error().message;
        if (!found.ok() || (*found == 1) != expected) {
          wrong += " [" + example.pattern + " -> " + pattern->text() + " in " + text + "]";
        }
      }
    };
    compare(example.found, true);
    compare(example.missed, false);
  }
  EXPECT_EQ(wrong, "");
}

TEST_P(Contract, queries_nest) {
  execute("INSERT INTO items (id, n) VALUES ('a', 1), ('b', 2), ('c', 3)");
  std::vector<std::string> seen;
  constexpr std::string_view kAll = "SELECT id, n FROM items ORDER BY id";
  const auto read = database().read([&](Reader& reader) {
    return reader.query(kAll, {}, [&](const Row& outer) -> Result<void> {
      TRY(reader.query(kAll, {}, [&](const Row& inner) -> Result<void> {
        seen.push_back(outer.string(0) + inner.string(0));
        return {};
      }));
      return {};
    });
  });
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(seen, (std::vector<std::string>{"aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"}));
}

TEST_P(Contract, a_row_callback_can_end_a_query_and_the_transaction_goes_on) {
  execute("INSERT INTO items (id, n) VALUES ('a', 1), ('b', 2), ('c', 3)");
  const auto done = database().transaction([&](Txn& txn) -> Result<void> {
    int rows = 0;
    const auto ended = txn.query("SELECT id FROM items", {}, [&](const Row&) -> Result<void> {
      ++rows;
      return cancelled("enough");
    });
    EXPECT_EQ(ended.error().code, Code::kCancelled);
    EXPECT_EQ(rows, 1);
    return insert(txn, "d", 4);
  });
  EXPECT_TRUE(done.ok());
  EXPECT_EQ(count(), 4);
}

TEST_P(Contract, several_rows_where_one_was_asked_are_an_error) {
  execute("INSERT INTO items (id) VALUES ('a'), ('b')");
  const auto one = database().view([](Reader& reader) {
    return reader.query_one("SELECT id FROM items", {},
                            [](const Row& row) { return row.string(0); });
  });
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.error().code, Code::kInternal);
}

TEST_P(Contract, a_reader_cannot_write) {
  const auto done = database().read([](Reader& reader) {
    return reader.query("INSERT INTO items (id) VALUES ('a')", {},
                        [](const Row&) -> Result<void> { return {}; });
  });
  EXPECT_FALSE(done.ok());
  EXPECT_EQ(count(), 0);
}

TEST_P(Contract, a_read_keeps_its_snapshot_beside_a_writer) {
  execute("INSERT INTO items (id) VALUES ('a')");
  const auto read = database().read([&](Reader& reader) -> Result<void> {
    const auto rows = [&]() -> Result<std::optional<std::int64_t>> {
      return reader.query_one("SELECT COUNT(*) FROM items", {},
                              [](const Row& row) { return row.integer(0); });
    };
    TRY(const auto before, rows());
    std::thread([&] { execute("INSERT INTO items (id) VALUES ('b')"); }).join();
    TRY(const auto after, rows());
    EXPECT_EQ(before, 1);
    EXPECT_EQ(after, 1);
    return {};
  });
  EXPECT_TRUE(read.ok());
  EXPECT_EQ(count(), 2);
}

TEST_P(Contract, reads_nest_on_connections_of_their_own) {
  std::function<Result<void>(int)> nest = [&](int depth) -> Result<void> {
    return database().read([&](Reader& reader) -> Result<void> {
      TRY(reader.query("SELECT 1", {}, [](const Row&) -> Result<void> { return {}; }));
      return depth == 0 ? Result<void>() : nest(depth - 1);
    });
  };
  const auto done = nest(40);
  EXPECT_TRUE(done.ok()) << done.error().message;
}

TEST_P(Contract, concurrent_counters_lose_no_increment) {
  execute("INSERT INTO items (id, n) VALUES ('a', 0)");
  constexpr int kThreads = 4;
  constexpr int kIncrements = 20;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kIncrements; ++i) {
        const auto done = database().transaction([](Txn& txn) -> Result<void> {
          TRY(const auto n, txn.query_one("SELECT n FROM items WHERE id = 'a'", {},
                                          [](const Row& row) { return row.integer(0); }));
          TRY(txn.execute("UPDATE items SET n = $1 WHERE id = 'a'", {*n + 1}));
          return {};
        });
        if (!done.ok()) ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto n = database().view([](Reader& reader) {
    return reader.query_one("SELECT n FROM items", {},
                            [](const Row& row) { return row.integer(0); });
  });
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(**n, kThreads * kIncrements);
}

TEST_P(Contract, a_nested_transaction_is_a_bug_that_ends_the_process) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        [[maybe_unused]] const auto done = database().transaction(
            [&](Txn&) { return database().transaction([](Txn&) -> Result<void> { return {}; }); });
      },
      "starts_outside_of_a_transaction");
}

TEST_P(Contract, many_different_statements_do_not_pile_up) {
  const auto done = database().transaction([](Txn& txn) -> Result<void> {
    for (int i = 0; i < 700; ++i) {
      TRY(txn.query("SELECT " + std::to_string(i), {},
                    [](const Row&) -> Result<void> { return {}; }));
    }
    return {};
  });
  EXPECT_TRUE(done.ok()) << done.error().message;
}

constexpr std::array kTwo = {
    Migration{"alpha", 1, "first", "CREATE TABLE alpha_items (id IDENTITY, body BYTES); -- a; b"},
    Migration{"beta", 1, "first",
              "CREATE TABLE beta_items (id TEXT); INSERT INTO beta_items VALUES ('a;b')"},
};

TEST_P(Contract, migrations_run_once_and_in_order) {
  ASSERT_TRUE(migrate(database(), kTwo).ok());
  ASSERT_TRUE(migrate(database(), kTwo).ok());
  const auto rows = database().view([](Reader& reader) {
    return reader.query_all("SELECT id FROM beta_items", {},
                            [](const Row& row) { return row.string(0); });
  });
  EXPECT_EQ(*rows, (std::vector<std::string>{"a;b"}));
  const std::array more = {
      kTwo[0], kTwo[1],
      Migration{"alpha", 2, "second", "ALTER TABLE alpha_items ADD COLUMN n BIGINT"}};
  EXPECT_TRUE(migrate(database(), more).ok());
  EXPECT_EQ(migrate(database(), kTwo).error().code, Code::kFailedPrecondition) << "older program";
}

TEST_P(Contract, a_changed_migration_is_refused) {
  ASSERT_TRUE(migrate(database(), kTwo).ok());
  auto changed = kTwo;
  changed[1].sql = "CREATE TABLE beta_items (id TEXT, n BIGINT)";
  EXPECT_EQ(migrate(database(), changed).error().code, Code::kFailedPrecondition);
  changed = kTwo;
  changed[1].name = "other";
  EXPECT_EQ(migrate(database(), changed).error().code, Code::kFailedPrecondition);
}

TEST_P(Contract, a_failing_migration_leaves_nothing) {
  auto broken = kTwo;
  broken[1].sql = "CREATE TABLE beta_items (id TEXT); CREATE TABEL x (id TEXT)";
  const auto failed = migrate(database(), broken);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("beta 1"), std::string::npos) << failed.error().message;
  EXPECT_TRUE(migrate(database(), kTwo).ok());
}

TEST_P(Contract, programs_that_start_at_once_migrate_once) {
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      const auto done = migrate(database(), kTwo);
      if (done.ok()) return;
      ++failures;
      ADD_FAILURE() << done.error().message;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
}

INSTANTIATE_TEST_SUITE_P(Engines, Contract, testing::ValuesIn(available_engines()),
                         engine_test_name);

}  // namespace
}  // namespace ciclo::sql
