// SPDX-License-Identifier: Apache-2.0
//
// What histories of metrics cost through tracking::Tracking on SQLite: writing batches of 1,000
// points of 1, 10 and 1,000 keys and single points, reading and sampling a long history, bytes of
// the database for each point. One thread. For a comparison, build it in the trees of both commits
// and run the two in turn.
//
//   history_bench [DIRECTORY [POINTS]]   on the file system of DIRECTORY (default: the working
//                                        directory); the long history has POINTS points (100,000)

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "sql/database.h"
#include "tracking/tracking.h"

namespace ciclo::tracking {
namespace {

constexpr int kBatchPoints = 1'000;
constexpr int kBatches = 60;
constexpr int kSinglePoints = 2'000;
constexpr int kReads = 9;

template <class T>
T must(Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "history_bench: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

// A database of its own with one run, and the curve of a loss that a training would log: a float32
// beside a trend, about 100 ms apart.
class Bench {
 public:
  explicit Bench(const std::filesystem::path& folder) : path_(folder / "history.db") {
    database_ = must(sql::open("sqlite:" + path_.string()));
    must(sql::migrate(*database_, schema()));
    tracking_ = std::make_unique<Tracking>(*database_, clock_, ids_, random_);
    run_ = must(tracking_->create_run(context_, {.name = "bench"})).info.run_id;
  }

  Metric next(const std::string& key) {
    time_ms_ += 90 + static_cast<std::int64_t>(random_.below(20));
    const double step = static_cast<double>(step_);
    const auto loss = static_cast<float>(2 / (1 + step / 100) + random_.uniform() / 20);
    return {.key = key, .value = loss, .timestamp_ms = time_ms_, .step = step_++};
  }

  Batch next_batch(int keys) {
    Batch batch;
    for (int i = 0; i < kBatchPoints; ++i) {
      batch.metrics.push_back(next("metric/" + std::to_string(i % keys)));
    }
    return batch;
  }

  double seconds_of(const std::function<void()>& work) {
    const std::int64_t start = clock_.monotonic_ns();
    work();
    return static_cast<double>(clock_.monotonic_ns() - start) / 1e9;
  }

  double log_seconds(const Batch& batch) {
    return seconds_of([&] { must(tracking_->log_batch(context_, run_, batch)); });
  }

  std::int64_t read_history() {
    std::int64_t count = 0;
    must(tracking_->stream_metric_history(context_, run_, "metric/0",
                                          [&](const Metric&) -> Result<void> {
                                            ++count;
                                            return {};
                                          }));
    return count;
  }

  std::size_t sample(std::int64_t points_max) {
    return must(tracking_->sampled_metric_history(context_, run_, "metric/0", 0, 1LL << 60,
                                                  points_max))
        .size();
  }

  std::vector<double> seconds_of_rows(std::int64_t batches) {
    must(write([](sql::Txn& txn) -> Result<void> {
      TRY(
          txn.execute("CREATE TABLE plain_points (timestamp_ms BIGINT, step BIGINT, "
                      "value DOUBLE PRECISION, PRIMARY KEY (timestamp_ms, step, value)) "
                      "WITHOUT ROWID"));
      return {};
    }));
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < batches; ++i) {
      const Batch batch = next_batch(1);
      seconds.push_back(
          seconds_of([&] { must(write([&](sql::Txn& txn) { return insert_rows(txn, batch); })); }));
    }
    return seconds;
  }

  std::int64_t read_rows() {
    std::int64_t steps = 0;
    must(database_->read([&](sql::Reader& reader) {
      return reader.query(
          "SELECT timestamp_ms, step, value FROM plain_points "
          "ORDER BY timestamp_ms, step, value",
          {}, [&](const sql::Row& row) -> Result<void> {
            steps += row.integer(1);
            return {};
          });
    }));
    return steps;
  }

  // Closing it brings what is in the log into the file.
  std::uintmax_t close() {
    tracking_.reset();
    database_.reset();
    return std::filesystem::file_size(path_);
  }

 private:
  Result<void> write(const std::function<Result<void>(sql::Txn&)>& body) {
    return database_->transaction(body);
  }

  static Result<void> insert_rows(sql::Txn& txn, const Batch& batch) {
    std::vector<sql::Params> rows;
    for (const auto& point : batch.metrics) {
      rows.push_back({point.timestamp_ms, point.step, point.value});
    }
    TRY(
        txn.execute_many("INSERT INTO plain_points (timestamp_ms, step, value) "
                         "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                         rows));
    return {};
  }

  std::filesystem::path path_;
  SystemClock clock_;
  SeededRandom random_{1};
  IdSource ids_{clock_, random_};
  Context context_;
  std::unique_ptr<sql::Database> database_;
  std::unique_ptr<Tracking> tracking_;
  RunId run_;
  std::int64_t time_ms_ = 1'700'000'000'000;
  std::int64_t step_ = 0;
};

double median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

double mean(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double number : numbers) sum += number;
  return sum / static_cast<double>(numbers.size());
}

json::Value::Object times(const std::vector<double>& seconds) {
  return {{"min_ms", *std::min_element(seconds.begin(), seconds.end()) * 1e3},
          {"median_ms", median(seconds) * 1e3},
          {"mean_ms", mean(seconds) * 1e3},
          {"max_ms", *std::max_element(seconds.begin(), seconds.end()) * 1e3}};
}

json::Value::Object measure_batches(const std::filesystem::path& root, int keys) {
  const TemporaryDirectory folder(root);
  Bench bench(folder.path());
  std::vector<double> seconds;
  for (int i = 0; i < kBatches; ++i) seconds.push_back(bench.log_seconds(bench.next_batch(keys)));
  auto out = times(seconds);
  out.emplace_back("file_bytes_per_point",
                   static_cast<double>(bench.close()) / (kBatches * kBatchPoints));
  return out;
}

json::Value::Object measure_single(const std::filesystem::path& root) {
  const TemporaryDirectory folder(root);
  Bench bench(folder.path());
  std::vector<double> seconds;
  for (int i = 0; i < kSinglePoints; ++i) {
    seconds.push_back(bench.log_seconds({.metrics = {bench.next("metric/0")}}));
  }
  return times(seconds);
}

json::Value::Object measure_reads(const std::filesystem::path& root, std::int64_t points) {
  const TemporaryDirectory folder(root);
  Bench bench(folder.path());
  for (std::int64_t i = 0; i < points / kBatchPoints; ++i) bench.log_seconds(bench.next_batch(1));
  std::vector<double> whole;
  std::vector<double> sampled;
  for (int i = 0; i < kReads; ++i) {
    whole.push_back(bench.seconds_of([&] { bench.read_history(); }));
    sampled.push_back(bench.seconds_of([&] { bench.sample(320); }));
  }
  return {
      {"points", bench.read_history()},
      {"history", json::Value(times(whole))},
      {"sampled_320", json::Value(times(sampled))},
      {"file_bytes_per_point", static_cast<double>(bench.close()) / static_cast<double>(points)}};
}

// The same points as one row each, clustered by time, a transaction for each 1,000.
json::Value::Object measure_rows(const std::filesystem::path& root, std::int64_t points) {
  const TemporaryDirectory folder(root);
  Bench bench(folder.path());
  const auto written = bench.seconds_of_rows(points / kBatchPoints);
  std::vector<double> whole;
  for (int i = 0; i < kReads; ++i) {
    whole.push_back(bench.seconds_of([&] { bench.read_rows(); }));
  }
  return {
      {"batch_of_1000", json::Value(times(written))},
      {"history", json::Value(times(whole))},
      {"file_bytes_per_point", static_cast<double>(bench.close()) / static_cast<double>(points)}};
}

}  // namespace
}  // namespace ciclo::tracking

int main(int argc, char** argv) {
  using namespace ciclo;
  const std::filesystem::path root = argc > 1 ? argv[1] : ".";
  const std::int64_t points = argc > 2 ? parse_int(argv[2]).value_or(0) : 100'000;
  if (points < 1'000) {
    std::fprintf(stderr, "history_bench: POINTS must be an integer from 1000, got %s\n", argv[2]);
    return 2;
  }
  json::Value::Object out;
  for (const int keys : {1, 10, 1'000}) {
    out.emplace_back("log_batch_1000_points_" + std::to_string(keys) + "_keys",
                     json::Value(tracking::measure_batches(root, keys)));
  }
  out.emplace_back("log_metric", json::Value(tracking::measure_single(root)));
  out.emplace_back("reads", json::Value(tracking::measure_reads(root, points)));
  out.emplace_back("rows", json::Value(tracking::measure_rows(root, points)));
  std::printf("%s\n", json::dump(json::Value(out)).c_str());
  return 0;
}
