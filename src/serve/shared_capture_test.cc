// SPDX-License-Identifier: Apache-2.0
#include "serve/shared_capture.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "serve/endpoints.h"
#include "sql/test_database.h"

namespace ciclo::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kJune = 1'370'044'800'000;  // 2013-06-01
constexpr std::int64_t kDay = 86'400'000;

// One server: a root of its own over the database and store of all.
struct Server {
  Server(sql::Database& database_in, blob::Store& blobs_in, Clock& clock_in,
         const std::string& name)
      : database(database_in), blobs(blobs_in), clock(clock_in), random(name.size() + name[0]) {
    options.server = name;
    options.segment_bytes_min = 1'000;
    start();
  }
  void start() {
    shared.reset();
    capture.reset();
    capture.emplace(CaptureOptions{.root = folder.path()}, clock);
    shared.emplace(database, blobs, *capture, random, options);
  }
  void predict(const std::string& id, std::int64_t event_time_ms = kJune) {
    CapturedRows rows;
    rows.endpoint = "flights";
    rows.model = "delays";
    rows.version = "3";
    rows.inference_ids = {id};
    rows.event_times_ms = {event_time_ms};
    data::Column x{.name = "x", .type = data::ColumnType::kNumber};
    x.append(0.5);
    rows.inputs.columns = {x};
    rows.outputs.columns = {x};
    ASSERT_TRUE(capture->append_rows(rows));
  }
  std::vector<std::string> rows() const {
    std::vector<std::string> ids;
    const auto read = read_captured(folder.path(), "flights", kJune, kJune + 10 * kDay,
                                    [&](const CapturedRow& row) -> Result<void> {
                                      ids.emplace_back(row.inference_id);
                                      return {};
                                    });
    EXPECT_TRUE(read.ok());
    EXPECT_EQ(read->damaged_lines, 0U);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::vector<std::string> labels() const {
    std::vector<std::string> ids;
    const auto read = read_labels(folder.path(), "flights", 0, kJune + 10 * kDay,
                                  [&](const LabelRow& row) -> Result<void> {
                                    ids.emplace_back(row.inference_id);
                                    return {};
                                  });
    EXPECT_TRUE(read.ok());
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  sql::Database& database;
  blob::Store& blobs;
  Clock& clock;
  SeededRandom random;
  TemporaryDirectory folder;
  SharedCaptureOptions options;
  std::optional<Capture> capture;
  std::optional<SharedCapture> shared;
};

using Ids = std::vector<std::string>;

class SharedCaptureTest : public testing::TestWithParam<sql::Engine> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sql::migrate(*database_, schema()).ok());
    blobs_ = *blob::open("file:" + (folder_.path() / "blobs").string());
    a_.emplace(*database_, *blobs_, clock_, "a");
    b_.emplace(*database_, *blobs_, clock_, "b");
  }
  // As the threads do.
  void exchange() {
    for (auto* const server : {&*a_, &*b_}) ASSERT_TRUE(server->shared->hand_over().ok());
    for (auto* const server : {&*a_, &*b_}) ASSERT_TRUE(server->shared->take_over().ok());
  }
  std::size_t values() {
    std::size_t count = 0;
    EXPECT_TRUE(blobs_
                    ->list([&](const blob::Store::Stored&) -> Result<void> {
                      ++count;
                      return {};
                    })
                    .ok());
    return count;
  }

  SimClock clock_{kJune};
  TemporaryDirectory folder_;
  sql::TestDatabase database_{GetParam()};
  std::unique_ptr<blob::Store> blobs_;
  std::optional<Server> a_;
  std::optional<Server> b_;
};

INSTANTIATE_TEST_SUITE_P(Engines, SharedCaptureTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST_P(SharedCaptureTest, each_server_finds_the_rows_and_labels_of_all) {
  a_->predict("1");
  b_->predict("2", kJune + kDay);
  exchange();
  for (const auto* const server : {&*a_, &*b_}) {
    EXPECT_EQ(server->rows(), (Ids{"1", "2"}));
    EXPECT_EQ(captured_days(server->folder.path(), "flights"), (std::vector{kJune, kJune + kDay}));
  }
  EXPECT_EQ(a_->capture->newest_event_ms("flights"), kJune + kDay);
  // The label of a prediction that the other server made.
  const auto accepted = b_->capture->append_labels("flights", {{"1", json::Value(1)}});
  ASSERT_TRUE(accepted.ok());
  EXPECT_EQ(accepted->unknown, 0);
  exchange();
  EXPECT_EQ(a_->labels(), Ids{"1"});
  EXPECT_EQ(a_->capture->newest_label_ms("flights"), kJune + kDay);
}

TEST_P(SharedCaptureTest, what_comes_later_follows_and_nothing_comes_twice) {
  Ids expected;
  for (int i = 100; i < 130; ++i) {
    a_->predict(std::to_string(i));
    expected.push_back(std::to_string(i));
    exchange();
    ASSERT_EQ(b_->rows(), expected) << i;
  }
  // Short segments were replaced, in the table and in the store.
  const auto last =
      database_->view([](sql::Reader& reader) { return store::last_segments(reader, "a"); });
  ASSERT_EQ(last->size(), 1U);
  const auto all = database_->view(
      [](sql::Reader& reader) { return store::segments_of_others(reader, "b", 0, 100); });
  EXPECT_GT(all->size(), 1U);
  EXPECT_LT(all->size(), 8U);
  EXPECT_EQ(values(), all->size());
}

TEST_P(SharedCaptureTest, a_restart_of_either_side_goes_on_where_it_stopped) {
  a_->predict("1");
  exchange();
  a_->predict("2");  // not handed over before the end
  a_->start();
  b_->start();
  EXPECT_EQ(b_->rows(), Ids{"1"});
  a_->predict("3");
  exchange();
  EXPECT_EQ(b_->rows(), (Ids{"1", "2", "3"}));
  EXPECT_EQ(a_->rows(), (Ids{"1", "2", "3"}));
}

TEST_P(SharedCaptureTest, a_server_that_was_lost_lives_on_in_what_it_handed_over) {
  a_->predict("1");
  ASSERT_TRUE(a_->shared->hand_over().ok());
  a_.reset();
  Server fresh(*database_, *blobs_, clock_, "fresh");
  ASSERT_TRUE(fresh.shared->take_over().ok());
  EXPECT_EQ(fresh.rows(), Ids{"1"});
}

TEST_P(SharedCaptureTest, a_torn_line_stays_here) {
  a_->predict("1");
  a_->start();
  const fs::path day = a_->folder.path() / "flights" / "captured" / "2013-06-01";
  std::ofstream(day / "000001.jsonl", std::ios::app) << "{\"inference_id\":\"torn";
  a_->predict("2");
  exchange();
  EXPECT_EQ(b_->rows(), (Ids{"1", "2"}));
}

TEST_P(SharedCaptureTest, what_was_taken_over_by_halves_is_completed) {
  for (int i = 1; i < 10; ++i) a_->predict(std::to_string(i));
  exchange();
  fs::path taken;
  for (const auto& entry : fs::recursive_directory_iterator(b_->folder.path())) {
    if (entry.is_regular_file()) taken = entry.path();
  }
  ASSERT_EQ(taken.parent_path().filename(), "a");
  fs::resize_file(taken, fs::file_size(taken) / 2);
  b_->start();
  exchange();
  EXPECT_EQ(b_->rows().size(), 9U);
}

TEST_P(SharedCaptureTest, a_segment_that_is_lost_holds_up_nobody) {
  a_->predict("1");
  exchange();
  a_->predict("2", kJune + kDay);
  ASSERT_TRUE(a_->shared->hand_over().ok());
  const auto all = database_->view(
      [](sql::Reader& reader) { return store::segments_of_others(reader, "b", 0, 100); });
  ASSERT_EQ(all->size(), 2U);
  ASSERT_TRUE(blobs_->remove(all->at(1).hash).ok());
  a_->predict("3", kJune + 2 * kDay);
  exchange();
  EXPECT_EQ(b_->rows(), (Ids{"1", "3"}));
}

TEST_P(SharedCaptureTest, two_servers_of_one_name_are_told_so) {
  Server twin(*database_, *blobs_, clock_, "a");
  a_->predict("1");
  twin.predict("2");
  ASSERT_TRUE(twin.shared->hand_over().ok());
  ASSERT_TRUE(a_->shared->hand_over().ok()) << "it reads what stands there when it begins";
  twin.predict("3");
  ASSERT_TRUE(twin.shared->hand_over().ok());
  a_->predict("4");
  a_->predict("5");
  a_->predict("6");
  const auto told = a_->shared->hand_over();
  ASSERT_FALSE(told.ok());
  EXPECT_EQ(told.error().code, Code::kFailedPrecondition);
  EXPECT_NE(told.error().message.find("server-id"), std::string::npos);
}

TEST_P(SharedCaptureTest, the_thread_hands_over_what_is_left_at_its_end) {
  a_->options.interval = std::chrono::hours(1);
  a_->start();
  a_->shared->start_thread();
  a_->predict("1");
  a_->shared->stop_thread();
  ASSERT_TRUE(b_->shared->take_over().ok());
  EXPECT_EQ(b_->rows(), Ids{"1"});
}

}  // namespace
}  // namespace ciclo::serve
