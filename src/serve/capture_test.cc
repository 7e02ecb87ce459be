// SPDX-License-Identifier: Apache-2.0
#include "serve/capture.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <future>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/recorded_sync.h"
#include "serve/capture_files.h"
#include "serve/known_ids.h"

namespace ciclo::serve {
namespace {

// The syncs of files in this program, which a test may hold up or let fail.
struct Disk {
  static inline std::mutex held;
  static inline std::atomic<bool> is_broken{false};
  static inline std::atomic<int> syncs{0};  // begun
};

}  // namespace
}  // namespace ciclo::serve

extern "C" int fdatasync(int descriptor) {
  using ciclo::serve::Disk;
  ++Disk::syncs;
  const std::lock_guard wait(Disk::held);
  if (Disk::is_broken) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

namespace ciclo::serve {
namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kJune = 1'370'044'800'000;  // 2013-06-01

CapturedRows rows_of(std::vector<std::string> ids, std::int64_t event_time_ms) {
  CapturedRows rows;
  rows.endpoint = "flights";
  rows.model = "delays";
  rows.version = "3";
  rows.time_ms = 5;
  rows.event_times_ms.assign(ids.size(), event_time_ms);
  data::Column x{.name = "x", .type = data::ColumnType::kNumber};
  data::Column carrier{.name = "carrier", .type = data::ColumnType::kText};
  data::Column out{.name = "probability", .type = data::ColumnType::kNumber};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    x.append(0.5 + static_cast<double>(i));
    carrier.append("A\"A\n");
    out.append(0.25);
  }
  rows.inputs.columns = {x, carrier};
  rows.outputs.columns = {out};
  rows.inference_ids = std::move(ids);
  return rows;
}

class CaptureTest : public ::testing::Test {
 protected:
  CaptureOptions options() const { return {.root = directory_.path()}; }

  std::set<std::string> captured_ids(std::int64_t from = 0,
                                     std::int64_t to = 100 * 365 * kDay) const {
    std::set<std::string> ids;
    const auto read =
        read_captured(directory_.path(), "flights", from, to, [&](const CapturedRow& row) {
          ids.emplace(row.inference_id);
          return Result<void>();
        });
    EXPECT_TRUE(read.ok());
    return ids;
  }
  std::set<std::string> label_ids() const {
    std::set<std::string> ids;
    const auto read =
        read_labels(directory_.path(), "flights", 0, 100 * 365 * kDay, [&](const LabelRow& row) {
          ids.emplace(row.inference_id);
          return Result<void>();
        });
    EXPECT_TRUE(read.ok());
    return ids;
  }

  TemporaryDirectory directory_;
  SimClock clock_{kJune};
};

TEST_F(CaptureTest, reads_back_what_was_flushed) {
  Capture capture(options(), clock_);
  auto rows = rows_of({"a", "b"}, kJune + 7);
  rows.inputs.columns[0].numbers[1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(capture.append_rows(rows));
  ASSERT_TRUE(capture.flush().ok());
  std::vector<std::string> seen;
  const auto stats =
      read_captured(directory_.path(), "flights", kJune, kJune + kDay, [&](const CapturedRow& row) {
        seen.push_back(std::string(row.inference_id) + " " + json::dump(row.inputs.to_value()) +
                       " " + json::dump(row.outputs.to_value()) + " " + std::string(row.version) +
                       " " + std::to_string(row.time_ms) + " " +
                       std::to_string(row.event_time_ms - kJune));
        return Result<void>();
      });
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->rows, 2u);
  EXPECT_EQ(seen, (std::vector<std::string>{
                      R"(a {"x":0.5,"carrier":"A\"A\n"} {"probability":0.25} 3 5 7)",
                      R"(b {"x":null,"carrier":"A\"A\n"} {"probability":0.25} 3 5 7)"}));
  EXPECT_EQ(capture.stats().rows_written, 2u);
}

TEST_F(CaptureTest, partitions_by_the_day_of_the_event) {
  Capture capture(options(), clock_);
  capture.append_rows(rows_of({"a"}, kJune + kDay - 1));
  capture.append_rows(rows_of({"b"}, kJune + kDay));
  ASSERT_TRUE(capture.flush().ok());
  EXPECT_EQ(captured_days(directory_.path(), "flights"),
            (std::vector<std::int64_t>{kJune, kJune + kDay}));
  EXPECT_EQ(captured_ids(kJune, kJune + kDay), (std::set<std::string>{"a"}));
  EXPECT_EQ(captured_ids(kJune + kDay, kJune + 2 * kDay), (std::set<std::string>{"b"}));
  EXPECT_EQ(capture.newest_event_ms("flights"), kJune + kDay);
  EXPECT_EQ(capture.newest_event_ms("other"), std::nullopt);
}

TEST_F(CaptureTest, rows_can_be_read_as_soon_as_they_are_appended) {
  auto slow = options();
  slow.flush_interval = std::chrono::hours(1);
  Capture capture(slow, clock_);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(capture.append_rows(rows_of({"id" + std::to_string(i)}, kJune)));
  }
  EXPECT_EQ(captured_ids().size(), 100u);
}

TEST_F(CaptureTest, names_the_model_and_reads_lines_that_name_none) {
  {
    Capture capture(options(), clock_);
    ASSERT_TRUE(capture.append_rows(rows_of({"new"}, kJune)));
  }
  std::ofstream(directory_.path() / "flights" / "captured" / "2013-06-01" / "000009.jsonl")
      << R"({"inference_id":"old","time_ms":5,"event_time_ms":1370044800000,"version":"3",)"
      << R"("inputs":{},"outputs":{}})"
      << "\n";
  std::map<std::string, std::string> models;
  ASSERT_TRUE(
      read_captured(directory_.path(), "flights", kJune, kJune + kDay, [&](const CapturedRow& row) {
        models[std::string(row.inference_id)] = row.model;
        return Result<void>();
      }).ok());
  EXPECT_EQ(models, (std::map<std::string, std::string>{{"new", "delays"}, {"old", ""}}));
}

TEST_F(CaptureTest, rotates_files_by_size) {
  auto small = options();
  small.file_bytes_max = 300;
  Capture capture(small, clock_);
  for (int i = 0; i < 6; ++i) {
    capture.append_rows(rows_of({"id" + std::to_string(i)}, kJune));
    ASSERT_TRUE(capture.flush().ok());
  }
  EXPECT_GT(numbered_files(directory_.path() / "flights" / "captured" / "2013-06-01").size(), 1u);
  EXPECT_EQ(captured_ids().size(), 6u);
}

TEST_F(CaptureTest, requests_over_a_year_continue_the_file_of_each_day) {
  constexpr int kDays = 200;  // more than may be open
  Capture capture(options(), clock_);
  auto rows = rows_of(std::vector<std::string>(kDays, "a"), kJune);
  for (int day = 0; day < kDays; ++day) rows.event_times_ms[day] += day * kDay;
  for (int request = 0; request < 3; ++request) ASSERT_TRUE(capture.append_rows(rows));
  const auto days = captured_days(directory_.path(), "flights");
  EXPECT_EQ(days.size(), 1u * kDays);
  for (const auto day : days) {
    const auto folder = directory_.path() / "flights" / "captured" / day_name(day);
    EXPECT_EQ(numbered_files(folder).size(), 1u) << folder;
  }
  const auto read = read_captured(directory_.path(), "flights", 0, 2 * kJune,
                                  [](const CapturedRow&) { return Result<void>(); });
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->rows, 3u * kDays);
}

TEST_F(CaptureTest, a_file_that_was_closed_for_others_is_still_bounded) {
  auto small = options();
  small.file_bytes_max = 300;
  small.files_open_max = 1;
  Capture capture(small, clock_);
  for (int i = 0; i < 12; ++i) capture.append_rows(rows_of({"a"}, kJune + (i % 2) * kDay));
  EXPECT_GT(numbered_files(directory_.path() / "flights" / "captured" / "2013-06-01").size(), 1u);
}

// Rows of so many days that their files cannot all wait for the syncing thread.
CapturedRows rows_of_ten_days() {
  auto rows = rows_of(std::vector<std::string>(10, "wide"), kJune + kDay);
  for (int day = 0; day < 10; ++day) rows.event_times_ms[day] += day * kDay;
  return rows;
}

TEST_F(CaptureTest, a_request_that_must_sync_holds_up_no_other) {
  auto few = options();
  few.files_open_max = 2;
  few.flush_interval = std::chrono::hours(1);
  Capture capture(few, clock_);
  ASSERT_TRUE(capture.append_rows(rows_of({"a"}, kJune)));
  std::unique_lock hold(Disk::held);
  const int before = Disk::syncs;
  auto wide =
      std::async(std::launch::async, [&] { return capture.append_rows(rows_of_ten_days()); });
  while (Disk::syncs == before) std::this_thread::yield();
  auto other =
      std::async(std::launch::async, [&] { return capture.append_rows(rows_of({"b"}, kJune)); });
  EXPECT_EQ(other.wait_for(std::chrono::seconds(60)), std::future_status::ready);
  EXPECT_TRUE(captured_ids().contains("b"));
  hold.unlock();
  EXPECT_TRUE(other.get());
  EXPECT_TRUE(wide.get());
}

TEST_F(CaptureTest, a_sync_that_fails_in_a_request_ends_its_files_and_drops_no_row) {
  auto few = options();
  few.files_open_max = 2;
  few.flush_interval = std::chrono::hours(1);
  Capture capture(few, clock_);
  Disk::is_broken = true;
  EXPECT_TRUE(capture.append_rows(rows_of_ten_days()));
  Disk::is_broken = false;
  EXPECT_FALSE(capture.flush().ok()) << "what was not synced is told";
  EXPECT_TRUE(capture.flush().ok());
  EXPECT_TRUE(capture.append_rows(rows_of({"after"}, kJune + kDay)));
  EXPECT_EQ(numbered_files(directory_.path() / "flights" / "captured" / "2013-06-02").size(), 2u);
  EXPECT_EQ(captured_ids(), (std::set<std::string>{"wide", "after"}));
}

TEST_F(CaptureTest, passes_over_torn_and_damaged_lines) {
  {
    Capture capture(options(), clock_);
    capture.append_rows(rows_of({"a"}, kJune));
  }
  const auto files = numbered_files(directory_.path() / "flights" / "captured" / "2013-06-01");
  ASSERT_EQ(files.size(), 1u);
  std::ofstream(files[0], std::ios::app)
      << "not json\n{\"inference_id\":7}\n[]\n{\"inference_id\":\"torn";
  {
    // The next process begins a file of its own, so the torn line does not swallow its first row.
    Capture capture(options(), clock_);
    capture.append_rows(rows_of({"b"}, kJune));
  }
  const auto stats = read_captured(directory_.path(), "flights", 0, 2 * kJune,
                                   [](const CapturedRow&) { return Result<void>(); });
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->rows, 2u);
  EXPECT_EQ(stats->damaged_lines, 4u);
  EXPECT_EQ(captured_ids(), (std::set<std::string>{"a", "b"}));
}

TEST_F(CaptureTest, an_error_of_the_reader_ends_the_reading) {
  {
    Capture capture(options(), clock_);
    capture.append_rows(rows_of({"a", "b"}, kJune));
  }
  int rows = 0;
  const auto read = read_captured(directory_.path(), "flights", 0, 2 * kJune,
                                  [&](const CapturedRow&) -> Result<void> {
                                    ++rows;
                                    return cancelled("enough");
                                  });
  EXPECT_FALSE(read.ok());
  EXPECT_EQ(rows, 1);
}

TEST_F(CaptureTest, counts_labels_of_unknown_inferences_and_keeps_them) {
  Capture capture(options(), clock_);
  capture.append_rows(rows_of({"a"}, kJune));
  ASSERT_TRUE(capture.flush().ok());
  const auto accepted = capture.append_labels(
      "flights", {{.inference_id = "a", .label = 1}, {.inference_id = "z", .label = true}});
  ASSERT_TRUE(accepted.ok());
  EXPECT_EQ(accepted->accepted, 2);
  EXPECT_EQ(accepted->unknown, 1);
  EXPECT_EQ(label_ids(), (std::set<std::string>{"a", "z"}));
}

TEST_F(CaptureTest, knows_the_inferences_of_an_earlier_process) {
  {
    Capture capture(options(), clock_);
    capture.append_rows(rows_of({"a"}, kJune + 3));
  }
  Capture capture(options(), clock_);
  const auto accepted = capture.append_labels("flights", {{.inference_id = "a", .label = "late"}});
  ASSERT_TRUE(accepted.ok());
  EXPECT_EQ(accepted->unknown, 0);
  // Without a time of its own a label counts as of the newest event.
  std::int64_t time_ms = 0;
  ASSERT_TRUE(read_labels(directory_.path(), "flights", 0, 2 * kJune, [&](const LabelRow& row) {
                time_ms = row.time_ms;
                return Result<void>();
              }).ok());
  EXPECT_EQ(time_ms, kJune + 3);
}

TEST_F(CaptureTest, label_calls_of_many_threads_are_all_durable) {
  Capture capture(options(), clock_);
  std::vector<std::jthread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const auto id = std::to_string(t) + "-" + std::to_string(i);
        if (!capture.append_labels("flights", {{.inference_id = id, .label = 0}}).ok()) ++failures;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(label_ids().size(), 160u);
}

TEST_F(CaptureTest, submits_of_many_threads_are_all_written) {
  {
    Capture capture(options(), clock_);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 200; ++i) {
          capture.append_rows(
              rows_of({std::to_string(t) + "-" + std::to_string(i)}, kJune + (i % 5) * kDay));
          if (i % 50 == 0) {
            EXPECT_TRUE(capture.flush().ok());
          }
        }
      });
    }
  }
  EXPECT_EQ(captured_ids().size(), 800u);
}

TEST_F(CaptureTest, a_disk_that_refuses_is_reported_and_counted) {
  std::ofstream(directory_.path() / "flights") << "a file where a directory should be";
  Capture capture(options(), clock_);
  capture.append_rows(rows_of({"a", "b"}, kJune));
  EXPECT_FALSE(capture.flush().ok());
  EXPECT_EQ(capture.stats().rows_dropped, 2u);
  EXPECT_FALSE(capture.append_labels("flights", {{.inference_id = "a", .label = 1}}).ok());
}

std::size_t count_of(std::string_view part, const std::string& text) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(CaptureTest, a_disk_that_refuses_is_logged_once_until_it_takes_rows_again) {
  auto quick = options();
  quick.flush_interval = std::chrono::milliseconds(1);
  auto other = rows_of({"b"}, kJune);
  other.endpoint = "hotels";
  testing::internal::CaptureStderr();
  {
    Capture capture(quick, clock_);
    // Each of the rows of another endpoint takes a round of the syncing thread.
    const auto pass_rounds = [&] {
      for (int round = 0; round < 5; ++round) {
        const int before = Disk::syncs;
        ASSERT_TRUE(capture.append_rows(other));
        while (Disk::syncs == before) std::this_thread::yield();
      }
    };
    ASSERT_TRUE(capture.append_rows(rows_of({"a"}, kJune)));
    for (int day = 1; day <= 2; ++day) {
      std::ofstream(directory_.path() / "flights" / "captured" / day_name(kJune + day * kDay))
          << "a file where a directory should be";
      for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(capture.append_rows(rows_of({"a"}, kJune + day * kDay)));
        pass_rounds();
      }
      EXPECT_TRUE(capture.append_rows(rows_of({"a"}, kJune)));
    }
    EXPECT_FALSE(capture.flush().ok()) << "rows were dropped since the last flush";
  }
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count_of("capture cannot write", logged), 2u) << logged;
}

TEST_F(CaptureTest, labels_are_durable_up_to_the_root_although_rows_made_it) {
  auto slow = options();
  slow.root = directory_.path() / "capture";
  slow.flush_interval = std::chrono::hours(1);
  Capture capture(slow, clock_);
  RecordedSync::clear();
  ASSERT_TRUE(capture.append_rows(rows_of({"a"}, kJune)));
  ASSERT_TRUE(capture.append_labels("flights", {{.inference_id = "a", .label = 1}}).ok());
  const auto endpoint = slow.root / "flights";
  for (const auto& folder : {directory_.path(), slow.root, endpoint, endpoint / "labels",
                             endpoint / "labels" / "2013-06-01"}) {
    EXPECT_TRUE(RecordedSync::has(folder)) << folder;
  }
}

// What the child has announced through the pipe is on disk when the child is killed without
// warning.
TEST_F(CaptureTest, survives_kill_9) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto slow = options();
    slow.flush_interval = std::chrono::hours(1);  // nothing but the appending itself saves the rows
    Capture capture(slow, clock_);
    for (int i = 0;; ++i) {
      const std::string id = std::to_string(i);
      if (!capture.append_rows(rows_of({id}, kJune))) _exit(1);
      if (!capture.append_labels("flights", {{.inference_id = id, .label = 1}}).ok()) _exit(1);
      if (write(pipe_ends[1], "x", 1) != 1) _exit(1);
    }
  }
  close(pipe_ends[1]);
  int announced = 0;
  char byte = 0;
  while (announced < 25 && read(pipe_ends[0], &byte, 1) == 1) ++announced;
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  while (read(pipe_ends[0], &byte, 1) == 1) ++announced;
  close(pipe_ends[0]);
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto captured = captured_ids();
  const auto labels = label_ids();
  for (int i = 0; i < announced; ++i) {
    EXPECT_TRUE(captured.contains(std::to_string(i))) << i;
    EXPECT_TRUE(labels.contains(std::to_string(i))) << i;
  }
}

TEST(DayName, is_utc_and_floors) {
  EXPECT_EQ(day_name(kJune), "2013-06-01");
  EXPECT_EQ(day_name(kJune - 1), "2013-05-31");
  EXPECT_EQ(day_start_ms(-1), -kDay);
}

TEST(KnownIdsTest, keeps_the_newest_half_at_least) {
  KnownIds ids(1000);
  for (int i = 0; i < 5000; ++i) ids.add(std::to_string(i));
  for (int i = 4500; i < 5000; ++i) EXPECT_TRUE(ids.has(std::to_string(i)));
  EXPECT_FALSE(ids.has("1"));
  EXPECT_FALSE(ids.has("never"));
}

}  // namespace
}  // namespace ciclo::serve
