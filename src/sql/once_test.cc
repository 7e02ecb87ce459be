// SPDX-License-Identifier: Apache-2.0
#include "sql/once.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "sql/key_expiry.h"
#include "sql/test_database.h"

namespace ciclo::sql {
namespace {

struct Counted {
  std::int64_t number = 0;
  std::string text;

  template <class V>
  void fields(V& v) {
    v("number", number);
    v("text", text);
  }
};

class Once : public testing::TestWithParam<Engine> {
 protected:
  Once() {
    EXPECT_TRUE(migrate(*database, schema()).ok());
    EXPECT_TRUE(database
                    ->transaction([](Txn& txn) -> Result<void> {
                      TRY(txn.execute(items_table()));
                      return {};
                    })
                    .ok());
  }

  static std::string items_table() {
    return "CREATE TABLE items (id TEXT PRIMARY KEY, n BIGINT NOT NULL)";
  }

  // An attempt of the call that `key` names, as the edge makes it.
  static Context attempt(const std::string& key, const std::string& body = "b") {
    Context context;
    context.keyed = std::make_shared<KeyedCall>();
    context.keyed->key = key;
    context.keyed->request = "POST /items";
    context.keyed->body_hash = body;
    context.keyed->received_ms = 1'000;
    return context;
  }

  // Adds an item and returns how many there are then.
  Result<Counted> add(const Context& context, const std::string& id) {
    return once(*database, context, [&](Txn& txn) -> Result<Counted> {
      TRY(txn.execute("INSERT INTO items (id, n) VALUES ($1, 1)", {std::string_view(id)}));
      TRY(const auto counted, txn.query_one("SELECT COUNT(*) FROM items", {},
                                            [](const Row& row) { return row.integer(0); }));
      return Counted{*counted, id};
    });
  }

  std::int64_t count(std::string_view table) {
    const auto counted = database->view([&](Reader& reader) {
      return reader.query_one("SELECT COUNT(*) FROM " + std::string(table), {},
                              [](const Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(counted.ok());
    return counted.ok() ? **counted : -1;
  }

  TestDatabase database{GetParam()};
};

TEST_P(Once, without_a_key_nothing_is_recorded) {
  ASSERT_TRUE(add(Context(), "a").ok());
  ASSERT_TRUE(add(Context(), "b").ok());
  EXPECT_EQ(count("items"), 2);
  EXPECT_EQ(count("keyed_calls"), 0);
}

TEST_P(Once, a_call_sent_again_gets_what_the_first_returned_and_writes_nothing) {
  const Context first = attempt("k");
  const auto made = add(first, "a");
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_FALSE(first.keyed->is_replayed());
  ASSERT_TRUE(add(Context(), "b").ok());

  const Context second = attempt("k");
  const auto again = add(second, "a");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(second.keyed->is_replayed());
  EXPECT_EQ(again->number, 1);
  EXPECT_EQ(again->text, "a");
  EXPECT_EQ(count("items"), 2);
}

TEST_P(Once, a_body_without_a_value_runs_once) {
  const auto add_item = [&](const Context& context) {
    return once(*database, context, [&](Txn& txn) -> Result<void> {
      TRY(txn.execute("INSERT INTO items (id, n) VALUES ('a', 1)"));
      return {};
    });
  };
  ASSERT_TRUE(add_item(attempt("k")).ok());
  const Context second = attempt("k");
  const auto again = add_item(second);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(second.keyed->is_replayed());
  EXPECT_EQ(count("items"), 1);
}

TEST_P(Once, a_key_of_another_request_is_refused) {
  ASSERT_TRUE(add(attempt("k"), "a").ok());
  const auto other_body = add(attempt("k", "other"), "b");
  ASSERT_FALSE(other_body.ok());
  EXPECT_EQ(other_body.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(other_body.error().message,
            "Idempotency-Key \"k\" was used for POST /items with another body: a key belongs to "
            "one request, send a new one with each");
  const Context elsewhere = attempt("k");
  elsewhere.keyed->request = "POST /others";
  const auto other_path = add(elsewhere, "b");
  ASSERT_FALSE(other_path.ok());
  EXPECT_EQ(other_path.error().message,
            "Idempotency-Key \"k\" was used for POST /items: a key belongs to one request, send a "
            "new one with each");
  EXPECT_EQ(count("items"), 1);
}

TEST_P(Once, keys_of_others_do_not_meet) {
  ASSERT_TRUE(add(attempt("k"), "a").ok());
  Context elsewhere = attempt("k", "other");
  elsewhere.workspace = "another";
  EXPECT_TRUE(add(elsewhere, "b").ok());
  Context somebody = attempt("k", "other");
  somebody.caller = "somebody";
  EXPECT_TRUE(add(somebody, "c").ok());
  EXPECT_EQ(count("items"), 3);
}

TEST_P(Once, a_call_that_failed_is_tried_again) {
  ASSERT_TRUE(add(Context(), "a").ok());
  const auto refused = add(attempt("k"), "a");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kAlreadyExists);
  EXPECT_EQ(count("keyed_calls"), 0);
  const Context second = attempt("k");
  ASSERT_TRUE(add(second, "b").ok());
  EXPECT_FALSE(second.keyed->is_replayed());
}

TEST_P(Once, transactions_of_one_call_are_told_apart_and_go_on_where_it_stopped) {
  ASSERT_TRUE(add(attempt("k"), "a").ok());  // and then the server died
  const Context second = attempt("k");
  const auto first_part = add(second, "a");
  ASSERT_TRUE(first_part.ok());
  EXPECT_EQ(first_part->number, 1);
  const auto second_part = add(second, "b");
  ASSERT_TRUE(second_part.ok()) << second_part.error().message;
  EXPECT_EQ(second_part->number, 2);
  EXPECT_FALSE(second.keyed->is_replayed());
  EXPECT_EQ(count("items"), 2);
}

TEST_P(Once, of_many_attempts_at_once_one_does_it_and_all_get_its_value) {
  constexpr int kAttempts = 8;
  constexpr int kCalls = 20;
  std::atomic<int> made{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int attempts = 0; attempts < kAttempts; ++attempts) {
    threads.emplace_back([&] {
      for (int call = 0; call < kCalls; ++call) {
        const std::string id = "item-" + std::to_string(call);
        const Context context = attempt(id);
        const auto counted = add(context, id);
        if (!counted.ok() || counted->text != id) {
          ++wrong;
          if (!counted.ok()) std::cerr << counted.error().message << "\n";
        } else if (!context.keyed->is_replayed()) {
          ++made;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(made, kCalls);
  EXPECT_EQ(count("items"), kCalls);
  EXPECT_EQ(count("keyed_calls"), kCalls);
}

// A plain UPDATE of the recorded value would put neighbours in the index at odds.
TEST_P(Once, calls_with_different_keys_are_not_in_conflict) {
  constexpr int kThreads = 8;
  constexpr int kCalls = 25;
  const std::uint64_t before = database->stats().retries;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int call = 0; call < kCalls; ++call) {
        const std::string id = std::to_string(call) + "-" + std::to_string(thread);
        const auto made = once(*database, attempt(id), [&](Txn& txn) -> Result<Counted> {
          TRY(txn.execute("INSERT INTO items (id, n) VALUES ($1, 1)", {std::string_view(id)}));
          return Counted{1, id};
        });
        EXPECT_TRUE(made.ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count("items"), kThreads * kCalls);
  EXPECT_EQ(database->stats().retries, before);
}

TEST_P(Once, old_keys_are_forgotten_and_younger_ones_kept) {
  SimClock clock;
  for (int call = 0; call < 450; ++call) {
    const Context context = attempt("old-" + std::to_string(call));
    context.keyed->received_ms = clock.now_ms() - 60'001 - call;
    ASSERT_TRUE(add(context, "old-" + std::to_string(call)).ok());
  }
  const Context young = attempt("young");
  young.keyed->received_ms = clock.now_ms() - 60'000;
  ASSERT_TRUE(add(young, "young").ok());

  KeyExpiry expiry(*database, clock, std::chrono::seconds(60));
  const auto forgotten = expiry.forget_old();
  ASSERT_TRUE(forgotten.ok()) << forgotten.error().message;
  EXPECT_EQ(*forgotten, 450);
  EXPECT_EQ(count("keyed_calls"), 1);
  const Context again = attempt("young");
  ASSERT_TRUE(add(again, "young").ok());
  EXPECT_TRUE(again.keyed->is_replayed());
}

TEST_P(Once, a_look_at_old_keys_reads_no_more_than_it_removes) {
  if (GetParam() != Engine::kSqlite) GTEST_SKIP() << "rows read by a scan are counted on SQLite";
  for (int call = 0; call < 50; ++call) {
    ASSERT_TRUE(add(attempt(std::to_string(call)), std::to_string(call)).ok());
  }
  const std::uint64_t before = database->stats().full_scan_rows;
  const auto forgotten = forget_keys(*database, 2'000, 10);
  ASSERT_TRUE(forgotten.ok());
  EXPECT_EQ(*forgotten, 10);
  // The ten of the list of those to remove.
  EXPECT_LE(database->stats().full_scan_rows - before, 10);
}

INSTANTIATE_TEST_SUITE_P(Engines, Once, testing::ValuesIn(available_engines()), engine_test_name);

}  // namespace
}  // namespace ciclo::sql
