// SPDX-License-Identifier: Apache-2.0
#include "sql/postgres.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sql/dialect.h"
#include "sql/open.h"
#include "sql/test_database.h"

namespace ciclo::sql {
namespace {

TEST(PostgresUrl, a_malformed_one_is_refused_without_showing_the_password) {
  for (const std::string url :
       {"postgresql://user:secret@host:port:1/name?nonsense", "postgresql://u:secret@[1/x",
        "postgresql://u:secret@h/n?password=secret&nonsense=1"}) {
    const auto opened = open(url);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Code::kInvalidArgument);
    EXPECT_EQ(opened.error().message.find("secret"), std::string::npos) << opened.error().message;
  }
}

TEST(PostgresUrl, a_server_that_is_not_there_is_unavailable) {
  const auto opened = open("postgresql://user:secret@127.0.0.1:1/name");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kUnavailable);
  EXPECT_EQ(opened.error().message.find("secret"), std::string::npos) << opened.error().message;
}

int run_command(const char* command) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", command, nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(PostgresOptions, a_statement_ends_after_the_time_that_was_chosen) {
  if (test_postgres_url() == nullptr) GTEST_SKIP() << "CICLO_TEST_POSTGRES_URL is not set";
  OpenOptions chosen;
  chosen.statement_timeout_ms = 500;
  const auto opened = open(test_postgres_url(), chosen);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const auto slept = (*opened)->read([](Reader& reader) {
    return reader.query("SELECT pg_sleep(30)", {}, [](const Row&) { return Result<void>(); });
  });
  ASSERT_FALSE(slept.ok());
  EXPECT_EQ(slept.error().code, Code::kDeadlineExceeded) << slept.error().message;
}

class Postgres : public testing::Test {
 protected:
  void SetUp() override {
    if (test_postgres_url() == nullptr) GTEST_SKIP() << "CICLO_TEST_POSTGRES_URL is not set";
    database_.emplace(Engine::kPostgres);
    ASSERT_TRUE(execute("CREATE TABLE items (id TEXT PRIMARY KEY, n BIGINT)").ok());
    ASSERT_TRUE(execute("INSERT INTO items VALUES ('a', 0), ('b', 0)").ok());
  }

  Result<void> execute(std::string_view text) {
    return (*database_)->transaction([&](Txn& txn) -> Result<void> {
      TRY(txn.execute(text));
      return {};
    });
  }

  // Cuts the connections of this test's database, not those of tests that run beside it.
  void cut_connections() {
    const auto server = open(test_postgres_url());
    ASSERT_TRUE(server.ok());
    const auto cut = (*server)->transaction([&](Txn& txn) {
      return txn.query(
          "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
          "WHERE application_name = $1 AND backend_type = 'client backend'",
          {std::string_view(database_->name())}, [](const Row&) -> Result<void> { return {}; });
    });
    ASSERT_TRUE(cut.ok()) << cut.error().message;
  }

  std::int64_t value(std::string_view id) {
    const auto n = (*database_)->view([&](Reader& reader) {
      return reader.query_one("SELECT n FROM items WHERE id = $1", {id},
                              [](const Row& row) { return row.integer(0); });
    });
    EXPECT_TRUE(n.ok()) << n.error().message;
    return n.ok() && *n ? **n : -1;
  }

  std::optional<TestDatabase> database_;
};

TEST_F(Postgres, a_wrong_password_is_an_error_of_opening_that_does_not_show_it) {
  std::string url = test_postgres_url();
  const std::size_t colon = url.find(':', url.find("://") + 3);
  url.replace(colon + 1, url.find('@') - colon - 1, "wrongsecret");
  const auto opened = open(url);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().message.find("wrongsecret"), std::string::npos);
  EXPECT_NE(opened.error().message.find("authentication"), std::string::npos);
}

TEST_F(Postgres, a_statement_that_takes_too_long_is_ended_and_the_connection_works_on) {
  PostgresOptions options;
  options.url = database_->url();
  options.connections_max = 1;
  options.statement_timeout_ms = 1'000;  // enough for the others, however busy the machine is
  const auto opened = open_postgres(options);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  Database& database = **opened;
  const auto select = [&](std::string_view text) {
    return database.read([&](Reader& reader) {
      return reader.query(text, {}, [](const Row&) -> Result<void> { return {}; });
    });
  };
  const auto slow = select("SELECT pg_sleep(60)");
  ASSERT_FALSE(slow.ok());
  EXPECT_EQ(slow.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(select("SELECT 1").ok());
  const auto patient = database.transaction([](Txn& txn) -> Result<void> {
    TRY(lift_time_limit(txn));
    return txn.query("SELECT pg_sleep(1.2)", {}, [](const Row&) -> Result<void> { return {}; });
  });
  EXPECT_TRUE(patient.ok()) << patient.error().message;
}

TEST_F(Postgres, a_time_limit_of_the_url_wins) {
  PostgresOptions options;
  options.url = test_postgres_url();
  options.url += "?options=-cstatement_timeout%3D71234";
  const auto opened = open_postgres(options);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const auto limit = (*opened)->view([](Reader& reader) {
    return reader.query_one("SELECT current_setting('statement_timeout')", {},
                            [](const Row& row) { return row.string(0); });
  });
  EXPECT_EQ(**limit, "71234ms");
}

// The sockets of this process that are connected to the server.
std::vector<int> server_sockets() {
  const std::string url = test_postgres_url();
  const std::size_t at = url.rfind(':') + 1;
  const int port = std::atoi(url.substr(at).c_str());
  std::vector<int> found;
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    auto* address = reinterpret_cast<sockaddr*>(&peer);
    if (::getpeername(descriptor, address, &size) != 0 || peer.sin_family != AF_INET) continue;
    if (ntohs(peer.sin_port) == port) found.push_back(descriptor);
  }
  return found;
}

int option_of(int descriptor, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(descriptor, level, name, &value, &size), 0);
  return value;
}

TEST_F(Postgres, a_vanished_server_is_noticed) {
  const auto sockets = server_sockets();
  ASSERT_FALSE(sockets.empty());
  for (const int descriptor : sockets) {
    EXPECT_EQ(option_of(descriptor, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option_of(descriptor, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    EXPECT_EQ(option_of(descriptor, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    EXPECT_EQ(option_of(descriptor, IPPROTO_TCP, TCP_KEEPCNT), 3);
    EXPECT_EQ(option_of(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
  }
}

TEST_F(Postgres, idle_connections_that_were_cut_are_replaced) {
  cut_connections();
  EXPECT_TRUE(execute("UPDATE items SET n = 1").ok());
  cut_connections();
  EXPECT_EQ(value("a"), 1);
}

TEST_F(Postgres, a_transaction_whose_connection_is_cut_runs_again) {
  int runs = 0;
  const auto done = (*database_)->transaction([&](Txn& txn) -> Result<void> {
    TRY(txn.execute("UPDATE items SET n = n + 1 WHERE id = 'a'"));
    if (++runs == 1) cut_connections();
    TRY(txn.execute("UPDATE items SET n = n + 1 WHERE id = 'b'"));
    return {};
  });
  EXPECT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(value("a"), 1);
  EXPECT_EQ(value("b"), 1);
}

TEST_F(Postgres, a_connection_cut_at_the_commit_leaves_an_honest_error) {
  const auto done = (*database_)->transaction([&](Txn& txn) -> Result<void> {
    TRY(txn.execute("UPDATE items SET n = n + 1 WHERE id = 'a'"));
    cut_connections();
    return {};
  });
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_NE(done.error().message.find("not known"), std::string::npos) << done.error().message;
  EXPECT_TRUE(execute("UPDATE items SET n = 5").ok());
}

TEST_F(Postgres, a_read_whose_connection_is_cut_is_unavailable_and_the_next_works) {
  const auto read = (*database_)->read([&](Reader& reader) -> Result<void> {
    cut_connections();
    return reader.query("SELECT n FROM items", {}, [](const Row&) -> Result<void> { return {}; });
  });
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Code::kUnavailable);
  EXPECT_EQ(value("a"), 0);
}

TEST_F(Postgres, works_again_after_a_restart_of_the_server) {
  const char* restart = std::getenv("CICLO_TEST_POSTGRES_RESTART");
  if (restart == nullptr) GTEST_SKIP() << "CICLO_TEST_POSTGRES_RESTART is not set";
  ASSERT_TRUE(execute("UPDATE items SET n = 7").ok());
  ASSERT_EQ(run_command(restart), 0);
  EXPECT_EQ(value("b"), 7);
  EXPECT_TRUE(execute("UPDATE items SET n = 8").ok());
}

// Two transactions that lock two rows in opposite order: the server ends one, which runs again.
TEST_F(Postgres, deadlocks_are_retried) {
  std::latch both_hold(2);
  const auto cross = [&](std::string_view first, std::string_view second) {
    bool has_met = false;
    return (*database_)->transaction([&, has_met](Txn& txn) mutable -> Result<void> {
      constexpr std::string_view kAdd = "UPDATE items SET n = n + 1 WHERE id = $1";
      TRY(txn.execute(kAdd, {first}));
      if (!std::exchange(has_met, true)) both_hold.arrive_and_wait();
      TRY(txn.execute(kAdd, {second}));
      return {};
    });
  };
  Result<void> other;
  std::thread thread([&] { other = cross("b", "a"); });
  const auto mine = cross("a", "b");
  thread.join();
  EXPECT_TRUE(mine.ok()) << mine.error().message;
  EXPECT_TRUE(other.ok()) << other.error().message;
  EXPECT_EQ(value("a"), 2);
  EXPECT_EQ(value("b"), 2);
  EXPECT_GE((*database_)->stats().retries, 1U);
}

TEST_F(Postgres, a_transaction_that_meets_others_at_every_attempt_is_unavailable) {
  PostgresOptions options;
  options.url = database_->url();
  options.attempts_max = 3;
  const auto opened = open_postgres(options);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  int attempts = 0;
  const auto beaten = (*opened)->transaction([&](Txn& txn) -> Result<void> {
    attempts += 1;
    TRY(txn.query_one("SELECT n FROM items WHERE id = 'a'", {}, [](const Row&) { return 0; }));
    TRY(execute("UPDATE items SET n = n + 1 WHERE id = 'a'"));  // of another connection
    TRY(txn.execute("UPDATE items SET n = n + 100 WHERE id = 'a'"));
    return {};
  });
  ASSERT_FALSE(beaten.ok());
  EXPECT_EQ(beaten.error().code, Code::kUnavailable);
  EXPECT_TRUE(
      beaten.error().message.starts_with("the transaction met others at each of 3 attempts"))
      << beaten.error().message;
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(value("a"), 3);
}

// Write skew: each reads what the other writes. SERIALIZABLE lets only one of them see the old
// state.
TEST_F(Postgres, transactions_are_serializable) {
  std::latch both_have_read(2);
  const auto take_if_free = [&](std::string_view id) {
    bool has_met = false;
    return (*database_)->transaction([&, has_met](Txn& txn) mutable -> Result<void> {
      TRY(const auto taken, txn.query_one("SELECT SUM(n) FROM items", {},
                                          [](const Row& row) { return row.integer(0); }));
      if (!std::exchange(has_met, true)) both_have_read.arrive_and_wait();
      if (*taken > 0) return failed_precondition("taken");
      TRY(txn.execute("UPDATE items SET n = 1 WHERE id = $1", {id}));
      return {};
    });
  };
  Result<void> other;
  std::thread thread([&] { other = take_if_free("b"); });
  const auto mine = take_if_free("a");
  thread.join();
  EXPECT_NE(mine.ok(), other.ok());
  EXPECT_EQ(value("a") + value("b"), 1);
}

TEST_F(Postgres, a_pipeline_of_more_than_the_sockets_hold_does_not_stall) {
  const std::string large(20'000, 'x');
  std::vector<std::string> ids;
  for (int i = 0; i < 1200; ++i) ids.push_back(std::to_string(i) + large);
  ASSERT_TRUE(execute("CREATE TABLE texts (t TEXT)").ok());
  std::vector<Params> rows;
  for (const auto& id : ids) rows.push_back({std::string_view(id)});
  const auto changed = (*database_)->transact([&](Txn& txn) {
    return txn.execute_many("INSERT INTO texts VALUES ($1) RETURNING t", rows);
  });
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_EQ(*changed, 1200);
}

}  // namespace
}  // namespace ciclo::sql
