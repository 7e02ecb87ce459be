// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "sql/database.h"

// For tests: an empty database of each engine that is available, gone at the end.

namespace ciclo::sql {

inline const char* test_postgres_url() { return std::getenv("CICLO_TEST_POSTGRES_URL"); }

// SQLite, and PostgreSQL when CICLO_TEST_POSTGRES_URL names a server; says so when it does not.
inline std::vector<Engine> available_engines() {
  if (test_postgres_url() != nullptr) return {Engine::kSqlite, Engine::kPostgres};
  static const bool said = [] {
    std::cerr << "CICLO_TEST_POSTGRES_URL is not set: PostgreSQL is not tested "
                 "(tests/tools/postgres.py run -- PROGRAM starts a server for it)\n";
    return true;
  }();
  return said ? std::vector{Engine::kSqlite} : std::vector<Engine>();
}

inline std::string engine_test_name(const testing::TestParamInfo<Engine>& info) {
  return info.param == Engine::kSqlite ? "sqlite" : "postgres";
}

// On PostgreSQL a schema of its own, found by the search path of the URL.
class TestDatabase {
 public:
  explicit TestDatabase(Engine engine) {
    if (engine == Engine::kSqlite) {
      url_ = "sqlite:" + (folder_.path() / "test.db").string();
    } else {
      static std::atomic<int> next{0};
      schema_ = "test_" + std::to_string(::getpid()) + "_" + std::to_string(next++);
      on_server("CREATE SCHEMA " + schema_);
      const std::string base = test_postgres_url();
      url_ = base + (base.find('?') == std::string::npos ? "?" : "&") + "options=-csearch_path%3D" +
             schema_ + "&application_name=" + schema_;
    }
    auto opened = open(url_);
    if (!opened.ok()) std::cerr << opened.error().message << "\n";
    CHECK(opened.ok());
    database_ = std::move(opened).value();
  }
  ~TestDatabase() {
    database_.reset();
    if (!schema_.empty()) on_server("DROP SCHEMA " + schema_ + " CASCADE");
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  Database& operator*() { return *database_; }
  Database* operator->() { return database_.get(); }
  const std::string& url() const { return url_; }
  // Of the schema and, in pg_stat_activity, of the connections; empty on SQLite.
  const std::string& name() const { return schema_; }

 private:
  static void on_server(const std::string& statement) {
    auto server = open(test_postgres_url());
    CHECK(server.ok());
    const auto done = (*server)->transaction([&](Txn& txn) -> Result<void> {
      TRY(txn.execute(statement));
      return {};
    });
    if (!done.ok()) std::cerr << done.error().message << "\n";
  }

  TemporaryDirectory folder_;
  std::string schema_;
  std::string url_;
  std::unique_ptr<Database> database_;
};

}  // namespace ciclo::sql
