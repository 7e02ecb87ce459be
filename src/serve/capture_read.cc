// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <limits>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "serve/capture.h"
#include "serve/capture_files.h"
#include "serve/capture_lines.h"

namespace ciclo::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDayMs = 86'400'000;

// "2013-06-01" → its first moment.
std::optional<std::int64_t> parse_day(std::string_view name) {
  if (name.size() != 10 || name[4] != '-' || name[7] != '-') return std::nullopt;
  const auto year = parse_int(name.substr(0, 4));
  const auto month = parse_int(name.substr(5, 2));
  const auto day = parse_int(name.substr(8, 2));
  if (!year || !month || !day || *month < 1 || *day < 1) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * kDayMs;
}

// The days of a directory within [from, to), ascending.
std::vector<std::int64_t> days_in(const fs::path& directory, std::int64_t from_ms,
                                  std::int64_t to_ms) {
  std::vector<std::int64_t> days;
  std::error_code error;
  for (auto entry = fs::directory_iterator(directory, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto day = parse_day(entry->path().filename().string());
    if (day && *day<to_ms&& * day + kDayMs> from_ms) days.push_back(*day);
  }
  std::sort(days.begin(), days.end());
  return days;
}

// Calls `on_line` for each line that ends with a newline; what follows the last one is torn, or is
// being written just now.
Result<void> read_lines(const fs::path& file, ReadStats& stats, const LineCutter::OnLine& on_line) {
  LineCutter lines;
  TRY(read_file_in_pieces(file, [&](std::string_view piece) { return lines.cut(piece, on_line); }));
  stats.damaged_lines += lines.passed_over() + (lines.has_rest() ? 1 : 0);
  return {};
}

// `on_row` for the root of each line's JSON whose time lies in the range.
Result<ReadStats> read_rows(const fs::path& root, const std::string& endpoint,
                            std::string_view folder, std::int64_t from_ms, std::int64_t to_ms,
                            const std::function<Result<void>(json::View, std::int64_t)>& on_row) {
  ReadStats stats;
  const fs::path directory = root / endpoint / folder;
  const auto on_line = [&](std::string_view line) -> Result<void> {
    Result<void> done;
    const bool is_ours =
        read_line(folder, line, [&](json::View row, std::string_view, std::int64_t time_ms) {
          if (time_ms < from_ms || time_ms >= to_ms) return;
          ++stats.rows;
          done = on_row(row, time_ms);
        });
    if (!is_ours) ++stats.damaged_lines;
    return done;
  };
  for (const std::int64_t day : days_in(directory, from_ms, to_ms)) {
    for (const auto& file : all_files(directory / day_name(day))) {
      TRY(read_lines(file, stats, on_line));
    }
  }
  return stats;
}

std::string_view text_or_empty(json::View value) {
  return value.has_value() && value.is_string() ? value.string() : std::string_view();
}

std::int64_t integer_or_zero(json::View value) {
  return value.has_value() && value.is_int() ? value.integer() : 0;
}

}  // namespace

Result<ReadStats> read_captured(const fs::path& root, const std::string& endpoint,
                                std::int64_t from_ms, std::int64_t to_ms,
                                const std::function<Result<void>(const CapturedRow&)>& on_row) {
  return read_rows(root, endpoint, kCapturedFolder, from_ms, to_ms,
                   [&](json::View line, std::int64_t event_time_ms) {
                     return on_row({.inference_id = line.find("inference_id").string(),
                                    .model = text_or_empty(line.find("model")),
                                    .version = text_or_empty(line.find("version")),
                                    .time_ms = integer_or_zero(line.find("time_ms")),
                                    .event_time_ms = event_time_ms,
                                    .inputs = line.find("inputs"),
                                    .outputs = line.find("outputs")});
                   });
}

Result<ReadStats> read_labels(const fs::path& root, const std::string& endpoint,
                              std::int64_t from_ms, std::int64_t to_ms,
                              const std::function<Result<void>(const LabelRow&)>& on_label) {
  return read_rows(root, endpoint, kLabelsFolder, from_ms, to_ms,
                   [&](json::View line, std::int64_t time_ms) {
                     return on_label({.inference_id = line.find("inference_id").string(),
                                      .label = line.find("label"),
                                      .time_ms = time_ms});
                   });
}

std::vector<std::int64_t> captured_days(const fs::path& root, const std::string& endpoint) {
  return days_in(root / endpoint / kCapturedFolder, std::numeric_limits<std::int64_t>::min(),
                 std::numeric_limits<std::int64_t>::max());
}

std::vector<std::int64_t> label_days(const fs::path& root, const std::string& endpoint) {
  return days_in(root / endpoint / kLabelsFolder, std::numeric_limits<std::int64_t>::min(),
                 std::numeric_limits<std::int64_t>::max());
}

std::int64_t day_start_ms(std::int64_t ms) { return ms - ((ms % kDayMs) + kDayMs) % kDayMs; }

std::string day_name(std::int64_t ms) { return format_utc(day_start_ms(ms)).substr(0, 10); }

}  // namespace ciclo::serve
