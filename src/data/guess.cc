// SPDX-License-Identifier: Apache-2.0
#include "data/guess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

#include "base/text.h"

namespace ciclo::data {
namespace {

constexpr std::array<std::string_view, 8> kKindNames = {"numeric",   "categorical", "boolean",
                                                        "timestamp", "free_text",   "identifier",
                                                        "constant",  "empty"};
constexpr std::array<std::string_view, 3> kTaskNames = {"binary", "multiclass", "regression"};

// Below so many rows, uniqueness and perfect separation are likely to be chance.
constexpr std::int64_t kRowsToTell = 50;
constexpr std::int64_t kRowsToSuspect = 200;
constexpr std::int64_t kCategoriesMax = 1000;
constexpr std::int64_t kClassesMax = 100;
constexpr std::int64_t kIntegerClassesMax = 20;
constexpr double kPure = 0.999;
constexpr std::size_t kColumnsAtOnce = 40;

// The words of a name: "flightId", "flight_id" and "Flight ID" have "flight" and "id".
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  std::string word;
  const auto end = [&] {
    if (!word.empty()) words.push_back(to_lower_ascii(std::exchange(word, {})));
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto upper = [&](std::size_t at) { return name[at] >= 'A' && name[at] <= 'Z'; };
    const auto lower = [&](std::size_t at) { return name[at] >= 'a' && name[at] <= 'z'; };
    const char c = name[i];
    if (c == '_' || c == ' ' || c == '-' || c == '.') {
      end();
      continue;
    }
    if (upper(i) && i > 0 && lower(i - 1)) end();
    word += c;
  }
  end();
  return words;
}

bool has_word(std::string_view name, std::span<const std::string_view> wanted) {
  const auto words = words_of(name);
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::find(wanted.begin(), wanted.end(), word) != wanted.end();
  });
}

bool named_as_id(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kIdWords = {"id",   "ids",   "key",   "uuid",
                                                               "guid", "index", "rowid", "rownum"};
  const auto words = words_of(name);
  if (words.empty()) return false;
  const bool last = std::find(kIdWords.begin(), kIdWords.end(), words.back()) != kIdWords.end();
  return last || words.front() == "unnamed" || name == "column_1";
}

bool named_as_time(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kTimeWords = {
      "time", "timestamp", "date",    "datetime", "ts",   "at",
      "when", "event",     "created", "day",      "hour", "ds"};
  return has_word(name, kTimeWords);
}

constexpr double kYearMs = 365.25 * 86'400'000;
// A class of pupils is born within two years, and so are the events of a short table.
constexpr double kBirthYears = 3;
constexpr double kLongBefore = 10;

// No event of a table lies there: 9999-12-31, 2999-12-31 and 2262-04-11, the last day that 64 bits
// of nanoseconds can tell, stand for "never". Later than the dates of tables that were moved into
// the future to hide whose they are, which reach 2214.
constexpr double kNeverMs = 280 * kYearMs;  // 2250-01-01 since 1970

bool tells_of_never(const ColumnStatistics& column) {
  return column.max && *column.max >= kNeverMs;
}

bool named_as_birth(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kBirthWords = {
      "birth", "dob", "born", "birthday", "birthdate", "birthtime", "birthdt"};
  return has_word(name, kBirthWords);
}

bool nearly_unique(const ColumnStatistics& column) {
  return static_cast<double>(column.distinct) >= 0.98 * static_cast<double>(column.present());
}

std::string percent(double share) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f %%", 100 * share);
  return buffer;
}

class Guesser {
 public:
  Guesser(const Engine& engine, const Context& context, const Table& table,
          const Statistics& statistics, std::string_view target)
      : engine_(engine), context_(context), table_(table), statistics_(statistics) {
    guess_.target = std::string(target);
  }

  Result<Guess> run() {
    TRY(find_target());
    TRY(guess_task());
    TRY(count_words());
    for (const auto& column : statistics_.columns) {
      if (column.name != guess_.target) guess_.columns.push_back(guess_column(column));
    }
    TRY(suspect_leaks());
    choose_time();
    choose_keys();
    if (std::none_of(guess_.columns.begin(), guess_.columns.end(),
                     [](const auto& column) { return column.use; })) {
      guess_.warnings.push_back("no column looks like a feature");
    }
    return std::move(guess_);
  }

 private:
  Result<void> find_target() {
    target_ = statistics_.find(guess_.target);
    if (target_ == nullptr) {
      std::vector<std::string> names;
      for (const auto& column : statistics_.columns) names.push_back(column.name);
      const std::string_view near = nearest(guess_.target, names);
      if (!near.empty()) names = {std::string(near)};
      return invalid_argument(
          "there is no column " + quoted(guess_.target) + " to predict; " +
          (near.empty() ? "there are " + join(names, ", ") : "did you mean " + quoted(near) + "?"));
    }
    const std::string what = "target " + quoted(guess_.target);
    if (target_->present() == 0) return invalid_argument(what + " is null in every row");
    if (target_->infinite > 0) {
      return invalid_argument(what + " is infinite in " + std::to_string(target_->infinite) +
                              (target_->infinite == 1 ? " row" : " rows") +
                              "; expected finite numbers, or no value where it is not known");
    }
    if (target_->distinct == 1) {
      const std::string value = target_->top.empty() ? "" : target_->top[0].value;
      return invalid_argument(what + " is " + quoted(value) +
                              " in every row; nothing can be learned from it");
    }
    if (target_->type == ColumnType::kTimestamp) {
      return invalid_argument(what + " is a timestamp; expected a number, a boolean or a class");
    }
    if (target_->nulls > 0) {
      guess_.warnings.push_back(std::to_string(target_->nulls) + " rows (" +
                                percent(target_->null_share()) + ") have no " + guess_.target +
                                " and are left out");
    }
    return {};
  }

  Result<void> guess_task() {
    const bool text = target_->type == ColumnType::kText;
    if (target_->distinct == 2) {
      guess_.task = Task::kBinary;
    } else if (text) {
      const bool too_many =
          target_->distinct > kClassesMax || target_->distinct * 2 > target_->present();
      if (too_many) {
        return invalid_argument("target " + quoted(guess_.target) + " is text with " +
                                std::to_string(target_->distinct) + " different values in " +
                                std::to_string(target_->present()) + " rows; expected at most " +
                                std::to_string(kClassesMax) + " classes, or numbers");
      }
      guess_.task = Task::kMulticlass;
    } else {
      const bool few =
          target_->distinct <= kIntegerClassesMax && target_->distinct * 10 <= target_->present();
      guess_.task = target_->integral && few ? Task::kMulticlass : Task::kRegression;
    }
    if (guess_.task != Task::kRegression) put_classes();
    return {};
  }

  void put_classes() {
    for (const auto& value : target_->top) guess_.classes.push_back(value.value);
    const bool numbers =
        target_->type == ColumnType::kInteger || target_->type == ColumnType::kNumber;
    std::sort(guess_.classes.begin(), guess_.classes.end(),
              [&](const std::string& a, const std::string& b) {
                if (numbers) return parse_double(a).value_or(0) < parse_double(b).value_or(0);
                return a < b;
              });
    if (guess_.task == Task::kBinary) put_negative_first();
    for (const auto& value : target_->top) {
      const double share =
          static_cast<double>(value.count) / static_cast<double>(target_->present());
      if (value.count < 2 || share < 0.01) {
        guess_.warnings.push_back("class " + quoted(value.value) + " of " + guess_.target +
                                  " is rare: " + std::to_string(value.count) + " of " +
                                  std::to_string(target_->present()) + " rows");
      }
    }
  }

  void put_negative_first() {
    static constexpr std::array<std::string_view, 12> kPositive = {
        "yes", "y",  "true", "t",       "1",     "positive",
        "pos", "on", "bad",  "churned", "fraud", "malignant"};
    const std::string first = to_lower_ascii(guess_.classes[0]);
    if (std::find(kPositive.begin(), kPositive.end(), first) != kPositive.end()) {
      std::swap(guess_.classes[0], guess_.classes[1]);
    }
  }

  // Words a value of each text column with many values, from the first rows.
  Result<void> count_words() {
    std::string select;
    for (const auto& column : statistics_.columns) {
      if (column.type != ColumnType::kText || column.distinct < 20 || column.name == guess_.target)
        continue;
      const std::string name = quote_identifier(column.name);
      select += (select.empty() ? "" : ", ") +
                ("avg(1 + length(trim(" + name + ")) - length(replace(trim(" + name +
                 "), ' ', ''))) AS " + name);
    }
    if (select.empty()) return {};
    TRY(const Batch batch, engine_.query_all(context_, {table_},
                                             "SELECT " + select + " FROM (SELECT * FROM " +
                                                 quote_identifier(table_.name) + " LIMIT 10000)"));
    for (const auto& column : batch.columns) {
      words_[column.name] = column.is_null(0) ? 0 : column.numbers[0];
    }
    return {};
  }

  ColumnGuess guess_column(const ColumnStatistics& column) {
    const auto as = [&](ColumnKind kind, bool use, std::string reason) {
      return ColumnGuess{column.name, kind, use, false, std::move(reason)};
    };
    const std::string values = std::to_string(column.distinct) + " different values";
    if (column.present() == 0) return as(ColumnKind::kEmpty, false, "no value in any row");
    if (column.distinct == 1)
      return as(ColumnKind::kConstant, false, "the same value in every row");
    switch (column.type) {
      case ColumnType::kBoolean: return as(ColumnKind::kBoolean, true, "true or false");
      case ColumnType::kTimestamp: return as(ColumnKind::kTimestamp, true, "times");
      case ColumnType::kInteger: return guess_integer(column, values);
      case ColumnType::kNumber:
        return as(ColumnKind::kNumeric, true, column.distinct == 2 ? "two values" : "numbers");
      case ColumnType::kText: return guess_text(column, values);
    }
    return as(ColumnKind::kNumeric, true, "");
  }

  ColumnGuess guess_integer(const ColumnStatistics& column, const std::string& values) {
    const auto as = [&](ColumnKind kind, bool use, std::string reason) {
      return ColumnGuess{column.name, kind, use, false, std::move(reason)};
    };
    if (column.distinct == 2 && column.min == 0 && column.max == 1)
      return as(ColumnKind::kBoolean, true, "0 or 1");
    const bool enough = column.present() >= kRowsToTell;
    const bool counts_rows =
        *column.max - *column.min + 1 <= 1.02 * static_cast<double>(column.present());
    if (enough && nearly_unique(column) && (counts_rows || named_as_id(column.name))) {
      return as(ColumnKind::kIdentifier, false, "a different number in each row");
    }
    if (named_as_id(column.name) && column.distinct > 2) {
      if (column.distinct <= 50 && column.distinct * 10 <= column.present()) {
        return as(ColumnKind::kCategorical, true, "an id of " + values);
      }
      return as(ColumnKind::kIdentifier, false, "named as an id, " + values);
    }
    return as(ColumnKind::kNumeric, true, "whole numbers");
  }

  ColumnGuess guess_text(const ColumnStatistics& column, const std::string& values) {
    const auto as = [&](ColumnKind kind, bool use, std::string reason) {
      return ColumnGuess{column.name, kind, use, false, std::move(reason)};
    };
    const double share =
        static_cast<double>(column.distinct) / static_cast<double>(column.present());
    const auto words = words_.find(column.name);
    const double mean_words = words == words_.end() ? 1 : words->second;
    if (mean_words >= 4 && share > 0.1) return as(ColumnKind::kFreeText, true, "sentences");
    if (column.present() >= kRowsToTell && share > 0.9) {
      return mean_words >= 2.5
                 ? as(ColumnKind::kFreeText, true, "several words, different in most rows")
                 : as(ColumnKind::kIdentifier, false, "a different text in nearly every row");
    }
    if (named_as_id(column.name) && column.distinct > kCategoriesMax) {
      return as(ColumnKind::kIdentifier, false, "named as an id, " + values);
    }
    if (column.distinct > kCategoriesMax * 10 && share > 0.3) {
      return as(ColumnKind::kIdentifier, false, "too many values to be categories: " + values);
    }
    return as(ColumnKind::kCategorical, true, values);
  }

  // A column that tells the target almost without error, though it is no more than one column.
  Result<void> suspect_leaks() {
    if (target_->present() < kRowsToSuspect) return {};
    std::vector<std::size_t> suspects;
    for (std::size_t i = 0; i < guess_.columns.size(); ++i) {
      const ColumnGuess& column = guess_.columns[i];
      if (column.kind != ColumnKind::kEmpty && column.kind != ColumnKind::kConstant)
        suspects.push_back(i);
    }
    for (std::size_t from = 0; from < suspects.size(); from += kColumnsAtOnce) {
      const std::size_t count = std::min(kColumnsAtOnce, suspects.size() - from);
      TRY(test_leaks(std::span(suspects).subspan(from, count)));
    }
    return {};
  }

  Result<void> test_leaks(std::span<const std::size_t> suspects) {
    std::string select;
    for (const std::size_t index : suspects) {
      const std::string test = leak_test(index);
      if (!test.empty()) select += (select.empty() ? "" : " UNION ALL ") + test;
    }
    if (select.empty()) return {};
    TRY(const Batch batch, engine_.query_all(context_, {table_}, select));
    for (std::size_t row = 0; row < batch.rows(); ++row) {
      if (batch.columns[1].is_null(row) || batch.columns[1].numbers[row] < kPure) continue;
      ColumnGuess& column = guess_.columns[static_cast<std::size_t>(batch.columns[0].numbers[row])];
      column.leaks = true;
      column.use = false;
      column.reason =
          "tells " + guess_.target + " almost without error: is it known before the prediction?";
      guess_.warnings.push_back("column " + quoted(column.name) + " " + column.reason);
    }
    return {};
  }

  // A statement that gives the column's position and, from 0 to 1, how well it alone tells the
  // target; empty when that says nothing.
  std::string leak_test(std::size_t index) const {
    const ColumnStatistics& column = *statistics_.find(guess_.columns[index].name);
    const std::string x = quote_identifier(column.name);
    const std::string y = quote_identifier(guess_.target);
    const std::string from = " FROM " + quote_identifier(table_.name) + " WHERE " + x +
                             " IS NOT NULL AND " + y + " IS NOT NULL";
    const std::string head = "SELECT " + std::to_string(index) + " AS position, (";
    const bool number = column.type == ColumnType::kInteger || column.type == ColumnType::kNumber;
    const bool orders = number || column.type == ColumnType::kTimestamp;
    // Half of the rows must have a value, or the column tells little.
    if (column.null_share() > 0.5) return "";
    if (guess_.task == Task::kRegression) {
      if (!number) return "";
      return head + "SELECT abs(corr(" + x + ", " + y + ")) FROM (SELECT * " + from +
             " AND isfinite(" + x + "::DOUBLE) AND isfinite(" + y + "::DOUBLE))) AS score";
    }
    const bool groups =
        column.distinct <= kCategoriesMax && column.distinct * 5 <= column.present();
    if (groups) {
      const double majority =
          static_cast<double>(target_->top[0].count) / static_cast<double>(target_->present());
      if (majority >= kPure) return "";
      return head +
             "SELECT sum(best) / sum(n) FROM (SELECT max(c) AS best, sum(c) AS n FROM (SELECT " +
             x + " AS x, " + y + " AS y, count(*) AS c" + from +
             " GROUP BY 1, 2) GROUP BY x)) AS score";
    }
    if (!orders || guess_.task != Task::kBinary) return "";
    const std::string positive =
        "CAST(" + y + " AS VARCHAR) = " + quote_literal(sql_text(guess_.classes[1]));
    return head + "SELECT CASE WHEN min(" + x + ") FILTER (" + positive + ") > max(" + x +
           ") FILTER (NOT " + positive + ") OR max(" + x + ") FILTER (" + positive + ") < min(" +
           x + ") FILTER (NOT " + positive + ") THEN 1 ELSE 0 END" + from + ") AS score";
  }

  // The class as the engine writes it: 1.0 for a float.
  std::string sql_text(const std::string& name) const {
    const bool whole =
        target_->type == ColumnType::kNumber && name.find_first_of(".e") == name.npos;
    return whole ? name + ".0" : name;
  }

  // Whether a column of times says when something began long ago, such as a date of birth, and not
  // when the row happened.
  bool is_long_before(const ColumnStatistics& column) const {
    if (!column.min || !column.max || !column.mean) return false;
    if (named_as_birth(column.name) && *column.max - *column.min > kBirthYears * kYearMs)
      return true;
    return std::any_of(
        statistics_.columns.begin(), statistics_.columns.end(), [&](const ColumnStatistics& other) {
          return other.type == ColumnType::kTimestamp && other.mean && !tells_of_never(other) &&
                 *other.mean - *column.mean > kLongBefore * kYearMs;
        });
  }

  void choose_time() {
    const ColumnStatistics* best = nullptr;
    const auto rank = [](const ColumnStatistics& column) {
      return std::pair(named_as_time(column.name), column.distinct);
    };
    for (const auto& column : statistics_.columns) {
      if (column.type != ColumnType::kTimestamp || column.nulls > 0 || column.distinct < 2)
        continue;
      if (tells_of_never(column) || is_long_before(column)) continue;
      if (best == nullptr || rank(column) > rank(*best)) best = &column;
    }
    if (best != nullptr) guess_.time_column = best->name;
  }

  void choose_keys() {
    for (const auto& column : guess_.columns) {
      const bool key = column.kind == ColumnKind::kIdentifier && !column.leaks;
      if (key && statistics_.find(column.name)->nulls == 0)
        guess_.key_columns.push_back(column.name);
    }
  }

  const Engine& engine_;
  const Context& context_;
  const Table& table_;
  const Statistics& statistics_;
  const ColumnStatistics* target_ = nullptr;
  std::map<std::string, double> words_;
  Guess guess_;
};

}  // namespace

std::span<const std::string_view> enum_names(ColumnKind) { return kKindNames; }
std::span<const std::string_view> enum_names(Task) { return kTaskNames; }

Result<Guess> guess_table(const Engine& engine, const Context& context, const Table& table,
                          const Statistics& statistics, std::string_view target) {
  return Guesser(engine, context, table, statistics, target).run();
}

}  // namespace ciclo::data
