// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ciclo::cli {
namespace {

// Characters shown, counting each UTF-8 sequence as one.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool looks_numeric(const std::string& cell) {
  if (cell.empty() || cell == "-") return true;
  return cell.find_first_not_of("0123456789.,+-%") == std::string::npos;
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  std::vector<bool> numeric(headers_.size(), true);
  for (const auto& header : headers_) widths.push_back(width_of(header));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
      if (!looks_numeric(row[i])) numeric[i] = false;
    }
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = i < cells.size() ? cells[i] : "";
      const std::string padding(widths[i] - std::min(widths[i], width_of(cell)), ' ');
      if (i > 0) line += "  ";
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
  const std::string all = text();
  std::fwrite(all.data(), 1, all.size(), stdout);
}

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms == 0) return "-";
  const std::int64_t seconds = std::max<std::int64_t>(0, (now_ms - then_ms) / 1000);
  if (seconds < 60) return std::to_string(seconds) + " s ago";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min ago";
  if (seconds < 2 * 86'400) return std::to_string(seconds / 3600) + " h ago";
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
