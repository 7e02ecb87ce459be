// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "features/spec.h"

namespace ciclo::features {
namespace {

constexpr std::size_t kRowsMax = 20'000;

struct Seen {
  std::size_t values = 0;
  std::size_t distinct = 0;
  double mean_words = 0;
  bool nulls = false;
};

Seen look_at_text(const data::Column& column, std::size_t rows) {
  Seen seen;
  std::unordered_set<std::string_view> distinct;
  std::size_t words = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    if (column.is_null(row)) {
      seen.nulls = true;
      continue;
    }
    const std::string_view text = column.texts[row];
    distinct.insert(text);
    words += 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), ' '));
    ++seen.values;
  }
  seen.distinct = distinct.size();
  if (seen.values > 0) {
    seen.mean_words = static_cast<double>(words) / static_cast<double>(seen.values);
  }
  return seen;
}

Seen look_at_numbers(const data::Column& column, std::size_t rows) {
  Seen seen;
  std::unordered_set<double> distinct;
  for (std::size_t row = 0; row < rows; ++row) {
    if (std::isnan(column.numbers[row])) {
      seen.nulls = true;
      continue;
    }
    distinct.insert(column.numbers[row]);
    ++seen.values;
  }
  seen.distinct = distinct.size();
  return seen;
}

bool suggest_text(const Seen& seen, ColumnSpec& spec) {
  constexpr std::size_t kOneHotMax = 12;
  if (seen.distinct <= kOneHotMax) {
    spec.encode = Encoding::kOneHot;
    return true;
  }
  if (seen.mean_words >= 3) {
    spec.encode = Encoding::kHashedText;
    return true;
  }
  // Nearly each row its own value: a key, which says nothing about new rows.
  if (seen.distinct * 10 > seen.values * 9) return false;
  spec.encode = Encoding::kTarget;
  spec.categories_max = 1'000;
  return true;
}

void suggest_number(const Seen& seen, Family family, ColumnSpec& spec) {
  if (family == Family::kTrees) return;
  spec.impute = ColumnSpec::Impute::kMedian;
  spec.standardise = true;
  spec.indicator = seen.nulls;
}

}  // namespace

Spec suggest_spec(const data::Batch& features, Family family) {
  Spec spec;
  for (const auto& column : features.columns) {
    const std::size_t rows = std::min(column.rows(), kRowsMax);
    const bool text = column.type == data::ColumnType::kText;
    const Seen seen = text ? look_at_text(column, rows) : look_at_numbers(column, rows);
    if (seen.values == 0 || (seen.distinct == 1 && !seen.nulls)) continue;
    ColumnSpec suggested;
    suggested.column = column.name;
    if (text) {
      if (!suggest_text(seen, suggested)) continue;
    } else if (column.type == data::ColumnType::kTimestamp) {
      suggested.encode = Encoding::kTimestamp;
    } else {
      suggest_number(seen, family, suggested);
    }
    spec.push_back(std::move(suggested));
  }
  return spec;
}

}  // namespace ciclo::features
