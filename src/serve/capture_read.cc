// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <limits>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "serve/capture.h"
#include "serve/capture_files.h"

namespace ciclo::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::size_t kLineBytesMax = 32 << 20;

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
Result<void> read_lines(const fs::path& file, ReadStats& stats,
                        const std::function<Result<void>(std::string_view)>& on_line) {
  std::string rest;
  bool is_skipping = false;  // in a line too long to be ours
  const auto on_piece = [&](std::string_view piece) -> Result<void> {
    for (std::size_t end = piece.find('\n'); end != std::string_view::npos;
         end = piece.find('\n')) {
      const std::string_view line = piece.substr(0, end);
      piece.remove_prefix(end + 1);
      if (is_skipping) {
        is_skipping = false;
      } else if (rest.empty()) {
        TRY(on_line(line));
      } else {
        rest += line;
        TRY(on_line(rest));
      }
      rest.clear();
    }
    if (!is_skipping) rest += piece;
    if (rest.size() > kLineBytesMax) {
      ++stats.damaged_lines;
      is_skipping = true;
      rest.clear();
    }
    return {};
  };
  TRY(read_file_in_pieces(file, on_piece));
  if (!rest.empty()) ++stats.damaged_lines;
  return {};
}

// `on_row` for the root of each line's JSON whose `time_key` lies in the range.
Result<ReadStats> read_rows(const fs::path& directory, std::int64_t from_ms, std::int64_t to_ms,
                            std::string_view time_key,
                            const std::function<Result<void>(json::View, std::int64_t)>& on_row) {
  ReadStats stats;
  for (const std::int64_t day : days_in(directory, from_ms, to_ms)) {
    for (const auto& file : numbered_files(directory / day_name(day))) {
      TRY(read_lines(file, stats, [&](std::string_view line) -> Result<void> {
        const auto document = json::Document::parse(line);
        if (!document.ok() || !document->root().is_object()) {
          ++stats.damaged_lines;
          return {};
        }
        const json::View root = document->root();
        const json::View id = root.find("inference_id");
        const json::View time = root.find(time_key);
        if (!id.has_value() || !id.is_string() || !time.has_value() || !time.is_int()) {
          ++stats.damaged_lines;
          return {};
        }
        const std::int64_t time_ms = time.integer();
        if (time_ms < from_ms || time_ms >= to_ms) return {};
        ++stats.rows;
        return on_row(root, time_ms);
      }));
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
  return read_rows(root / endpoint / "captured", from_ms, to_ms, "event_time_ms",
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
  return read_rows(root / endpoint / "labels", from_ms, to_ms, "time_ms",
                   [&](json::View line, std::int64_t time_ms) {
                     return on_label({.inference_id = line.find("inference_id").string(),
                                      .label = line.find("label"),
                                      .time_ms = time_ms});
                   });
}

std::vector<std::int64_t> captured_days(const fs::path& root, const std::string& endpoint) {
  return days_in(root / endpoint / "captured", std::numeric_limits<std::int64_t>::min(),
                 std::numeric_limits<std::int64_t>::max());
}

std::vector<std::int64_t> label_days(const fs::path& root, const std::string& endpoint) {
  return days_in(root / endpoint / "labels", std::numeric_limits<std::int64_t>::min(),
                 std::numeric_limits<std::int64_t>::max());
}

std::int64_t day_start_ms(std::int64_t ms) { return ms - ((ms % kDayMs) + kDayMs) % kDayMs; }

std::string day_name(std::int64_t ms) { return format_utc(day_start_ms(ms)).substr(0, 10); }

}  // namespace ciclo::serve
