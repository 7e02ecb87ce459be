// SPDX-License-Identifier: Apache-2.0
//
// Rows a second of metric-like rows through sql::Database with many threads, beside the same rows
// written by bare SQLite in one thread of the same process: the limit of the design is a third of
// the bare rate.
//
//   sql_bench [DIRECTORY]     on the file system of DIRECTORY (default: the working directory);
//                             PostgreSQL too when CICLO_TEST_POSTGRES_URL is set
//   sql_bench --log-batch DATABASE BATCHES ROWS KEYS
//                             the least that a log-batch of MLflow's protocol must write, by bare
//                             SQLite into the tables of a database that a server has made: rows of
//                             metric_points, the latest of each key in metric_series; one commit a
//                             batch. For server_bench.py.

#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "sql/database.h"
#include "sql/dialect.h"

namespace ciclo {
namespace {

constexpr int kRepetitions = 5;
constexpr std::string_view kTable =
    "CREATE TABLE metrics (run_id TEXT NOT NULL, key TEXT NOT NULL, "
    "value DOUBLE PRECISION NOT NULL, time_ms BIGINT NOT NULL, step BIGINT NOT NULL)";
constexpr std::string_view kIndex = "CREATE INDEX metrics_by_key ON metrics (run_id, key, step)";
constexpr std::string_view kInsert =
    "INSERT INTO metrics (run_id, key, value, time_ms, step) VALUES ($1, $2, $3, $4, $5)";

struct Load {
  std::string name;
  int threads = 1;
  int batches = 0;  // of each thread; one transaction each
  int rows = 0;     // of a batch
  int total() const { return threads * batches * rows; }
};

struct Row {
  std::string run_id;
  std::string key;
  double value = 0;
  std::int64_t time_ms = 0;
  std::int64_t step = 0;
};

Row make_row(int thread, int batch, int row) {
  return {"01890a5d-ac96-774b-bcce-b302099a80" + std::to_string(10 + thread),
          "metric_" + std::to_string(row % 10), 0.5 * row, 1'700'000'000'000 + batch, batch};
}

double seconds_of(const std::function<void()>& work) {
  SystemClock clock;
  const std::int64_t start = clock.monotonic_ns();
  work();
  return static_cast<double>(clock.monotonic_ns() - start) / 1e9;
}

void must(bool done, const std::string& what) {
  if (done) return;
  std::fprintf(stderr, "sql_bench: %s\n", what.c_str());
  std::exit(1);
}

enum class Commits { kEachBatch, kOnce };

// The whole load in one thread.
void write_bare(const std::string& path, const Load& load, Commits commits) {
  sqlite3* database = nullptr;
  must(sqlite3_open(path.c_str(), &database) == SQLITE_OK, "cannot open " + path);
  const auto run = [&](std::string_view text) {
    must(sqlite3_exec(database, std::string(text).c_str(), nullptr, nullptr, nullptr) == SQLITE_OK,
         sqlite3_errmsg(database));
  };
  run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  run(kTable);
  run(kIndex);
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(database, kInsert.data(), -1, &insert, nullptr);
  for (int batch = 0; batch < load.batches; ++batch) {
    for (int thread = 0; thread < load.threads; ++thread) {
      if (commits == Commits::kEachBatch || batch + thread == 0) run("BEGIN IMMEDIATE");
      for (int i = 0; i < load.rows; ++i) {
        const Row row = make_row(thread, batch, i);
        sqlite3_bind_text(insert, 1, row.run_id.data(), static_cast<int>(row.run_id.size()),
                          nullptr);
        sqlite3_bind_text(insert, 2, row.key.data(), static_cast<int>(row.key.size()), nullptr);
        sqlite3_bind_double(insert, 3, row.value);
        sqlite3_bind_int64(insert, 4, row.time_ms);
        sqlite3_bind_int64(insert, 5, row.step);
        must(sqlite3_step(insert) == SQLITE_DONE, sqlite3_errmsg(database));
        sqlite3_reset(insert);
      }
      if (commits == Commits::kEachBatch) run("COMMIT");
    }
  }
  if (commits == Commits::kOnce) run("COMMIT");
  sqlite3_finalize(insert);
  sqlite3_close(database);
}

class Bare {
 public:
  explicit Bare(const std::string& path) {
    must(sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK,
         "cannot open " + path);
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000");
  }
  ~Bare() { sqlite3_close_v2(handle_); }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  void run(const char* text) {
    must(sqlite3_exec(handle_, text, nullptr, nullptr, nullptr) == SQLITE_OK,
         sqlite3_errmsg(handle_));
  }
  sqlite3_stmt* prepare(std::string_view text) {
    sqlite3_stmt* statement = nullptr;
    must(sqlite3_prepare_v2(handle_, text.data(), static_cast<int>(text.size()), &statement,
                            nullptr) == SQLITE_OK,
         sqlite3_errmsg(handle_));
    return statement;
  }
  void step(sqlite3_stmt* statement) {
    must(sqlite3_step(statement) == SQLITE_DONE, sqlite3_errmsg(handle_));
    sqlite3_reset(statement);
  }

 private:
  sqlite3* handle_ = nullptr;
};

struct LogBatch {
  int batches = 0;
  int rows = 0;
  int keys = 0;
};

void write_log_batches(Bare& bare, const LogBatch& load) {
  sqlite3_stmt* series = bare.prepare(
      "INSERT INTO metric_series (series, run_number, key, step, timestamp_ms, value, is_nan) "
      "VALUES (?1, 1, ?2, ?3, ?4, ?5, 0) ON CONFLICT (run_number, key) DO UPDATE SET "
      "step = excluded.step, timestamp_ms = excluded.timestamp_ms, value = excluded.value");
  sqlite3_stmt* points = bare.prepare(
      "INSERT INTO metric_points (series, timestamp_ms, step, value, is_nan) "
      "VALUES (?1, ?2, ?3, ?4, 0)");
  constexpr std::int64_t kFirstSeries = 1'000'000;
  constexpr std::int64_t kFirstMs = 1'700'000'000'000;
  for (int batch = 0; batch < load.batches; ++batch) {
    bare.run("BEGIN IMMEDIATE");
    const std::int64_t last = std::int64_t{batch + 1} * load.rows - 1;
    for (int key = 0; key < load.keys; ++key) {
      const std::string name = "m" + std::to_string(key);
      sqlite3_bind_int64(series, 1, kFirstSeries + key);
      sqlite3_bind_text(series, 2, name.data(), static_cast<int>(name.size()), nullptr);
      sqlite3_bind_int64(series, 3, last);
      sqlite3_bind_int64(series, 4, kFirstMs + load.rows);
      sqlite3_bind_double(series, 5, 0.5 * load.rows);
      bare.step(series);
    }
    for (int row = 0; row < load.rows; ++row) {
      sqlite3_bind_int64(points, 1, kFirstSeries + row % load.keys);
      sqlite3_bind_int64(points, 2, kFirstMs + row);
      sqlite3_bind_int64(points, 3, std::int64_t{batch} * load.rows + row);
      sqlite3_bind_double(points, 4, 0.5 * row);
      bare.step(points);
    }
    bare.run("COMMIT");
  }
  sqlite3_finalize(series);
  sqlite3_finalize(points);
}

int run_log_batch(const std::string& path, const LogBatch& load) {
  must(load.batches > 0 && load.rows > 0 && load.keys > 0,
       "batches, rows and keys must be above 0");
  Bare bare(path);
  const double seconds = seconds_of([&] { write_log_batches(bare, load); });
  const json::Value report =
      json::Value::object({{"rows_per_second", load.batches * load.rows / seconds}});
  std::fputs(json::dump(report).c_str(), stdout);
  return 0;
}

Result<void> write_batch(sql::Database& database, int thread, int batch, int count) {
  std::vector<Row> rows;
  std::vector<sql::Params> params;
  rows.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const Row& row = rows.emplace_back(make_row(thread, batch, i));
    params.push_back({row.run_id, row.key, row.value, row.time_ms, row.step});
  }
  return database.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(txn.execute_many(kInsert, params));
    return {};
  });
}

void write_through(const std::string& url, const Load& load, json::Value& result) {
  auto opened = sql::open(url);
  must(opened.ok(), opened.ok() ? "" : opened.error().message);
  sql::Database& database = **opened;
  const auto made = database.transaction([](sql::Txn& txn) -> Result<void> {
    TRY(txn.execute("DROP TABLE IF EXISTS metrics"));
    TRY(txn.execute(sql::translate(kTable, txn.engine())));
    TRY(txn.execute(kIndex));
    return {};
  });
  must(made.ok(), made.ok() ? "" : made.error().message);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < load.threads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int batch = 0; batch < load.batches; ++batch) {
        const auto done = write_batch(database, thread, batch, load.rows);
        must(done.ok(), done.ok() ? "" : done.error().message);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto stats = database.stats();
  result["transactions_per_commit"] =
      static_cast<double>(stats.transactions) /
      static_cast<double>(std::max<std::uint64_t>(stats.commits, 1));
}

// The rates of all repetitions, and their median.
void record(json::Value& result, std::vector<double> rates) {
  std::ranges::sort(rates);
  for (const double rate : rates)
    result["rows_per_second_all"].push_back(static_cast<std::int64_t>(rate));
  result["rows_per_second"] = static_cast<std::int64_t>(rates[rates.size() / 2]);
}

json::Value measure(const Load& load, const std::filesystem::path& parent) {
  json::Value bare = json::Value::object();
  json::Value bare_once = json::Value::object();
  json::Value database = json::Value::object();
  json::Value postgres = json::Value::object();
  std::vector<double> bare_rates;
  std::vector<double> bare_once_rates;
  std::vector<double> database_rates;
  std::vector<double> postgres_rates;
  const char* server = std::getenv("CICLO_TEST_POSTGRES_URL");
  // Interleaved, so that what else the machine does touches all of them.
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    const TemporaryDirectory folder(parent);
    const std::string path = (folder.path() / "bench.db").string();
    bare_rates.push_back(
        load.total() / seconds_of([&] { write_bare(path + ".bare", load, Commits::kEachBatch); }));
    bare_once_rates.push_back(
        load.total() / seconds_of([&] { write_bare(path + ".once", load, Commits::kOnce); }));
    database_rates.push_back(load.total() /
                             seconds_of([&] { write_through("sqlite:" + path, load, database); }));
    if (server == nullptr) continue;
    postgres_rates.push_back(load.total() /
                             seconds_of([&] { write_through(server, load, postgres); }));
  }
  record(bare, bare_rates);
  record(bare_once, bare_once_rates);
  record(database, database_rates);
  if (server != nullptr) record(postgres, postgres_rates);
  json::Value result = json::Value::object({{"load", load.name},
                                            {"threads", load.threads},
                                            {"rows_per_transaction", load.rows},
                                            {"rows", load.total()}});
  result["ratio_to_bare"] =
      database.number_or("rows_per_second", 0) / bare.number_or("rows_per_second", 1);
  result["ratio_to_bare_in_one_transaction"] =
      database.number_or("rows_per_second", 0) / bare_once.number_or("rows_per_second", 1);
  result["bare_sqlite"] = std::move(bare);
  result["bare_sqlite_in_one_transaction"] = std::move(bare_once);
  result["database_sqlite"] = std::move(database);
  if (server != nullptr) result["database_postgres"] = std::move(postgres);
  return result;
}

int run(const std::filesystem::path& parent) {
  json::Value report = json::Value::object({{"bench", "sql"}, {"repetitions", kRepetitions}});
  for (const Load& load :
       {Load{"batches of 1000 rows", 8, 25, 1000}, Load{"batches of 100 rows", 8, 125, 100},
        Load{"single rows", 32, 50, 1}, Load{"single rows, one thread", 1, 300, 1}}) {
    report["results"].push_back(measure(load, parent));
  }
  std::fputs(json::dump_pretty(report).c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace ciclo

int main(int argc, char** argv) {
  if (argc == 6 && std::string_view(argv[1]) == "--log-batch") {
    return ciclo::run_log_batch(argv[2],
                                {std::atoi(argv[3]), std::atoi(argv[4]), std::atoi(argv[5])});
  }
  return ciclo::run(argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::current_path());
}
