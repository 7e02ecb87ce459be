// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ciclo::cli {
namespace {

constexpr std::size_t kColumnGap = 2;
constexpr std::size_t kCutColumnMin = 8;

bool looks_numeric(const std::string& cell) {
  if (cell.empty() || cell == "-") return true;
  return cell.find_first_not_of("0123456789.,+-%") == std::string::npos;
}

// One line: a name with a line break or an escape sequence must not reach the terminal.
std::string printable(std::string cell) {
  for (char& c : cell) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return cell;
}

std::size_t sum_of(const std::vector<std::size_t>& widths) {
  std::size_t sum = 0;
  for (const std::size_t width : widths) sum += width + kColumnGap;
  return sum - std::min(sum, kColumnGap);
}

// Takes from the widest columns that may be cut, one character at a time.
void fit(std::vector<std::size_t>& widths, const std::vector<bool>& fixed, std::size_t width_max) {
  for (std::size_t excess = sum_of(widths); excess > width_max; --excess) {
    std::size_t widest = widths.size();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (fixed[i] || widths[i] <= kCutColumnMin) continue;
      if (widest == widths.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == widths.size()) return;
    --widths[widest];
  }
}

}  // namespace

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string cut_to_width(std::string_view text, std::size_t width) {
  if (width_of(text) <= width) return std::string(text);
  if (width == 0) return "";
  std::size_t bytes = 0;
  for (std::size_t shown = 0; bytes < text.size(); ++bytes) {
    const bool begins = (static_cast<unsigned char>(text[bytes]) & 0xC0) != 0x80;
    if (begins && shown++ == width - 1) break;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::size_t terminal_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::string Table::text(std::size_t width_max) const {
  std::vector<std::size_t> widths;
  std::vector<bool> numeric(headers_.size(), true);
  for (const auto& header : headers_) widths.push_back(width_of(header));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
      if (!looks_numeric(row[i])) numeric[i] = false;
    }
  }
  if (width_max > 0) fit(widths, numeric, width_max);
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = i < cells.size() ? cut_to_width(printable(cells[i]), widths[i]) : "";
      const std::string padding(widths[i] - std::min(widths[i], width_of(cell)), ' ');
      if (i > 0) line.append(kColumnGap, ' ');
      line += numeric[i] && !rows_.empty() ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add_line(headers_);
  std::vector<std::string> rule;
  for (const auto width : widths) {
    std::string dashes;
    for (std::size_t i = 0; i < width; ++i) dashes += "─";
    rule.push_back(dashes);
  }
  add_line(rule);
  for (const auto& row : rows_) add_line(row);
  return out;
}

void Table::print() const {
  const std::string all = text(terminal_width());
  std::fwrite(all.data(), 1, all.size(), stdout);
}

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms == 0) return "-";
  const std::int64_t seconds = std::max<std::int64_t>(0, (now_ms - then_ms) / 1000);
  if (seconds < 60) return std::to_string(seconds) + " s ago";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min ago";
  if (seconds < std::int64_t{2} * 86'400) return std::to_string(seconds / 3600) + " h ago";
  return std::to_string(seconds / 86'400) + " d ago";
}

std::string duration_text(std::int64_t ms) {
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 60'000) return number_text(static_cast<double>(ms) / 1000, 1) + " s";
  return std::to_string(ms / 60'000) + " min " + std::to_string(ms / 1000 % 60) + " s";
}

std::string bytes_text(std::int64_t bytes) {
  constexpr const char* kUnits[] = {" B", " kB", " MB", " GB", " TB"};
  double scaled = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (scaled >= 1000 && unit + 1 < std::size(kUnits)) {
    scaled /= 1000;
    ++unit;
  }
  return number_text(scaled, unit == 0 ? 0 : 1) + kUnits[unit];
}

std::string number_text(double number, int digits) {
  if (std::isnan(number)) return "-";
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%.*f", digits, number);
  return {text, static_cast<std::size_t>(std::clamp(length, 0, 63))};
}

std::string count_text(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t start = digits.front() == '-' ? 1 : 0;
  for (std::size_t i = digits.size(); i > start + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

const json::Value::Array& items_of(const json::Value& object, std::string_view name) {
  return items_of(&object, name);
}

const json::Value::Array& items_of(const json::Value* object, std::string_view name) {
  static const json::Value::Array kNone;
  const json::Value* items = object == nullptr ? nullptr : object->find(name);
  return items != nullptr && items->is_array() ? items->items() : kNone;
}

}  // namespace ciclo::cli
