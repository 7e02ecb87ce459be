// SPDX-License-Identifier: Apache-2.0
#include "monitor/training_windows.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "data/statistics.h"
#include "monitor/package_reference.h"

namespace ciclo::monitor {
namespace {

constexpr std::int64_t kWeek = 7 * 86'400'000LL;
constexpr std::size_t kRows = 400;  // a week

// Weeks that differ, as weeks do: in each column the mean of a week is itself a draw.
class Weeks {
 public:
  Weeks(std::uint64_t seed, std::size_t columns) : random_(seed), columns_(columns) {}

  // One week; `shift` is added to the first column.
  data::Batch next(double shift = 0) {
    data::Batch rows;
    for (std::size_t i = 0; i < columns_; ++i) {
      data::Column& column = rows.columns.emplace_back();
      column.name = "c" + std::to_string(i);
      const double mean = 0.7 * random_.normal() + (i == 0 ? shift : 0);
      for (std::size_t row = 0; row < kRows; ++row) column.append(mean + random_.normal());
    }
    return rows;
  }

 private:
  SeededRandom random_;
  const std::size_t columns_;
};

// References of so many weeks of training rows; with their windows, or as one heap.
std::vector<ColumnReference> trained_on(Weeks& weeks, int count, bool with_windows) {
  std::vector<data::Batch> batches;
  data::StatisticsBuilder statistics;
  for (int week = 0; week < count; ++week) statistics.add(batches.emplace_back(weeks.next()));
  std::vector<ColumnReference> columns;
  for (const auto& column : statistics.build().columns) {
    columns.push_back(column_reference(column).value());
  }
  if (!with_windows) return columns;
  TrainingWindowsBuilder builder(columns, kWeek);
  for (int week = 0; week < count; ++week) {
    builder.add(std::vector<std::int64_t>(kRows, week * kWeek),
                batches[static_cast<std::size_t>(week)]);
  }
  const TrainingWindows windows = builder.build();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    set_training_windows(columns[i], windows.columns[i].windows);
  }
  return columns;
}

std::vector<bool> drifted(const std::vector<ColumnReference>& references, const data::Batch& week) {
  std::vector<ColumnDrift> columns;
  for (std::size_t i = 0; i < references.size(); ++i) {
    ColumnSample sample(references[i]);
    for (const double number : week.columns[i].numbers) sample.add(number);
    columns.push_back(sample.measure());
  }
  judge_drift(columns, {});
  std::vector<bool> out;
  for (const auto& column : columns) out.push_back(column.is_drifted);
  return out;
}

struct Rates {
  double windows = 0;  // share with a drifted column
  double alarms = 0;   // share in which a column is drifted as in the window before
};

Rates rates(bool with_windows) {
  constexpr int kTables = 12;
  constexpr int kWeeks = 25;
  Rates out;
  for (int table = 0; table < kTables; ++table) {
    Weeks weeks(static_cast<std::uint64_t>(table) + 1, 15);
    const auto references = trained_on(weeks, 20, with_windows);
    std::vector<bool> before(references.size(), false);
    for (int week = 0; week < kWeeks; ++week) {
      const auto now = drifted(references, weeks.next());
      bool any = false;
      bool again = false;
      for (std::size_t i = 0; i < now.size(); ++i) {
        any = any || now[i];
        again = again || (now[i] && before[i]);
      }
      before = now;
      out.windows += any ? 1 : 0;
      out.alarms += again ? 1 : 0;
    }
  }
  out.windows /= kTables * kWeeks;
  out.alarms /= kTables * kWeeks;
  return out;
}

// The rates that README.md states: of 300 windows of 15 columns without drift.
TEST(TrainingWindows, weeks_like_those_of_the_training_alarm_rarely) {
  const Rates heap = rates(false);
  EXPECT_GT(heap.windows, 0.95) << "one week against all is always drifted";
  const Rates windows = rates(true);
  EXPECT_LT(windows.windows, 0.25);
  EXPECT_LT(windows.alarms, 0.03);
  RecordProperty("windows_drifted", std::to_string(windows.windows));
  RecordProperty("alarms", std::to_string(windows.alarms));
}

TEST(TrainingWindows, a_column_that_leaves_the_range_of_all_weeks_is_seen) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Weeks weeks(100 + seed, 15);
    const auto references = trained_on(weeks, 20, true);
    EXPECT_TRUE(drifted(references, weeks.next(5))[0]) << seed;
  }
}

TEST(TrainingWindows, too_few_are_not_used) {
  Weeks weeks(1, 2);
  const auto references = trained_on(weeks, 4, true);
  EXPECT_TRUE(references[0].windows.empty());
  ColumnSample sample(references[0]);
  sample.add(1.0);
  EXPECT_EQ(sample.measure().psi_nearest, sample.measure().psi_corrected);
}

TEST(TrainingWindows, weeks_cut_by_the_edge_of_the_table_are_left_out) {
  Weeks weeks(1, 1);
  data::StatisticsBuilder statistics;
  const data::Batch rows = weeks.next();
  statistics.add(rows);
  TrainingWindowsBuilder builder({column_reference(statistics.build().columns[0]).value()}, kWeek);
  std::vector<std::int64_t> times(kRows);
  for (int week = 0; week < 9; ++week) {
    times.assign(kRows, week * kWeek + 5);
    builder.add(times, rows);
  }
  data::Batch few;
  few.columns.push_back({.name = "c0"});
  for (int row = 0; row < 100; ++row) few.columns[0].append(0.5);
  builder.add(std::vector<std::int64_t>(100, 9 * kWeek), few);
  const TrainingWindows windows = builder.build();
  ASSERT_EQ(windows.columns.size(), 1u);
  EXPECT_EQ(windows.columns[0].windows.size(), 9u);
}

}  // namespace
}  // namespace ciclo::monitor
