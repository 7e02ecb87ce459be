// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace ciclo::cli {

// A table for people, in columns as wide as their widest cell:
//
//   Table table({"model", "version"});
//   table.add({"flights", "3"});
//   table.print();
//
// Columns whose cells are all numbers are aligned to the right. Control characters show as blanks.
class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // In lines of at most `width_max` characters, as far as columns of text can be cut: the widest
  // ones are, and end with "…". 0: as wide as the cells are.
  std::string text(std::size_t width_max = 0) const;
  // To standard output; as wide as the terminal, when that is one.
  void print() const;

 private:
  std::vector<std::string> headers_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns of the terminal that standard output is; 0 when it is none.
std::size_t terminal_width();
// Characters shown, counting each UTF-8 sequence as one.
std::size_t width_of(std::string_view text);
// At most `width` characters, the last one "…" where some are cut off.
std::string cut_to_width(std::string_view text, std::size_t width);

// "3 min ago", "2 d ago"; "-" for 0.
std::string ago(std::int64_t then_ms, std::int64_t now_ms);
// "850 ms", "12.3 s", "4 min 5 s".
std::string duration_text(std::int64_t ms);
// "12.3 kB", "4.0 GB".
std::string bytes_text(std::int64_t bytes);
// Rounded to `digits` after the point; "-" for NaN.
std::string number_text(double number, int digits);
// 336776 → "336,776".
std::string count_text(std::int64_t count);

// The list below that name of an answer; empty when there is none. A view: not of a temporary.
const json::Value::Array& items_of(const json::Value& object, std::string_view name = "items");
const json::Value::Array& items_of(json::Value&& object, std::string_view name = "items") = delete;
// The same of what was found, or not.
const json::Value::Array& items_of(const json::Value* object, std::string_view name = "items");

}  // namespace ciclo::cli
