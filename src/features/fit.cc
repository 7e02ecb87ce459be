// SPDX-License-Identifier: Apache-2.0
#include "features/fit.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/text.h"

namespace ciclo::features {
namespace {

Result<void> check_values(const data::Column& column) {
  bool any = false;
  for (std::size_t row = 0; row < column.rows(); ++row) {
    if (column.is_null(row)) continue;
    any = true;
    if (column.type == data::ColumnType::kText) break;
    if (std::isinf(column.numbers[row])) {
      return invalid_argument("column " + quoted(column.name) +
                              " holds an infinite value in training row " +
                              std::to_string(row + 1) + "; replace it by a number or by null");
    }
  }
  if (!any) {
    return invalid_argument("column " + quoted(column.name) +
                            " holds no value in the training rows; leave it out of the features");
  }
  return {};
}

Result<void> check_type(const ColumnSpec& spec, const data::Column& column) {
  const bool text = column.type == data::ColumnType::kText;
  const auto refuse = [&](std::string_view right) {
    return invalid_argument(
        "column " + quoted(column.name) + " holds " + std::string(data::type_name(column.type)) +
        " values, which encode " +
        std::string(enum_names(spec.encode)[static_cast<std::size_t>(spec.encode)]) +
        " cannot use; try " + std::string(right));
  };
  if (spec.encode == Encoding::kNumeric && text) return refuse("one_hot, target or hashed_text");
  if (spec.encode == Encoding::kTimestamp && column.type != data::ColumnType::kTimestamp) {
    return refuse(text ? "one_hot, target or hashed_text" : "numeric");
  }
  if (spec.encode == Encoding::kHashedText && !text) return refuse("numeric or one_hot");
  return {};
}

double mean_of(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double number : numbers) sum += number;
  return sum / static_cast<double>(numbers.size());
}

// Of an even count the mean of the middle two, as numpy.median.
double median_of(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  const double upper = *middle;
  if (numbers.size() % 2 == 1) return upper;
  const double lower = *std::max_element(numbers.begin(), middle);
  return lower + (upper - lower) / 2;
}

std::vector<double> present(const std::vector<double>& numbers) {
  std::vector<double> kept;
  kept.reserve(numbers.size());
  for (const double number : numbers) {
    if (!std::isnan(number)) kept.push_back(number);
  }
  return kept;
}

Result<void> fit_numeric(const ColumnSpec& spec, const data::Column& column, FittedColumn& fitted) {
  using Impute = ColumnSpec::Impute;
  if (spec.impute == Impute::kConstant) fitted.fill = spec.fill;
  if (spec.impute == Impute::kMean) fitted.fill = mean_of(present(column.numbers));
  if (spec.impute == Impute::kMedian) fitted.fill = median_of(present(column.numbers));
  if (fitted.fill && !std::isfinite(*fitted.fill)) {
    return invalid_argument("column " + quoted(column.name) +
                            " holds numbers too large to be averaged; impute its median");
  }
  fitted.clip_low = spec.clip_low;
  fitted.clip_high = spec.clip_high;
  fitted.log = spec.log;
  fitted.indicator = spec.indicator;
  if (!spec.standardise) return {};
  std::vector<double> values = column.numbers;
  for (double& value : values) value = fitted.shaped(value);
  values = present(values);
  fitted.mean = mean_of(values);
  double squares = 0;
  for (const double value : values) squares += (value - fitted.mean) * (value - fitted.mean);
  const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
  if (!std::isfinite(deviation) || !std::isfinite(fitted.mean)) {
    return invalid_argument(
        "column " + quoted(column.name) +
        " holds numbers too large to be standardised; add clip_low and clip_high");
  }
  // What rounding leaves of a constant must not be blown up.
  fitted.scale = deviation > 1e-12 * std::abs(fitted.mean) ? deviation : 1;
  return {};
}

void fit_frequency(const data::Column& column, FittedColumn& fitted) {
  fitted.values.assign(fitted.categories.slots(), 0);
  fitted.unseen = {0};
  for (std::size_t row = 0; row < column.rows(); ++row) {
    const int slot = fitted.categories.slot(column, row);
    if (slot != Categories::kNoSlot) fitted.values[static_cast<std::size_t>(slot)] += 1;
  }
  for (double& value : fitted.values) value /= static_cast<double>(column.rows());
}

// Sums of the target and counts, by slot and over all rows.
struct Sums {
  std::size_t outputs;
  std::vector<double> slot_sum;  // slots × outputs
  std::vector<double> slot_count;
  std::vector<double> all_sum;
  double all_count = 0;

  Sums(std::size_t slots, std::size_t output_count)
      : outputs(output_count),
        slot_sum(slots * output_count),
        slot_count(slots),
        all_sum(output_count) {}

  void add(int slot, float target, std::size_t classes) {
    // With several classes, output c counts the rows of class c.
    const std::size_t first = classes > 2 ? static_cast<std::size_t>(target) : 0;
    const double amount = classes > 2 ? 1 : target;
    all_sum[first] += amount;
    all_count += 1;
    if (slot == Categories::kNoSlot) return;
    const auto s = static_cast<std::size_t>(slot);
    slot_sum[s * outputs + first] += amount;
    slot_count[s] += 1;
  }
  // Of the rows that are here and not in `without`.
  double smoothed(const Sums* without, int slot, std::size_t output, double smoothing) const {
    const double all = (all_sum[output] - (without ? without->all_sum[output] : 0)) /
                       std::max(1.0, all_count - (without ? without->all_count : 0));
    if (slot == Categories::kNoSlot) return all;
    const auto s = static_cast<std::size_t>(slot);
    const auto at = s * outputs + output;
    const double sum = slot_sum[at] - (without ? without->slot_sum[at] : 0);
    const double count = slot_count[s] - (without ? without->slot_count[s] : 0);
    return count + smoothing > 0 ? (sum + smoothing * all) / (count + smoothing) : all;
  }
};

}  // namespace

Result<FittedColumn> fit_column(const ColumnSpec& spec, const data::Column& column) {
  TRY(check_type(spec, column));
  TRY(check_values(column));
  FittedColumn fitted;
  fitted.name = column.name;
  fitted.type = column.type;
  fitted.encode = spec.encode;
  fitted.nullable = false;
  for (std::size_t row = 0; row < column.rows() && !fitted.nullable; ++row) {
    fitted.nullable = column.is_null(row);
  }
  switch (spec.encode) {
    case Encoding::kNumeric: TRY(fit_numeric(spec, column, fitted)); break;
    case Encoding::kOneHot:
    case Encoding::kOrdinal:
    case Encoding::kTarget:
    case Encoding::kFrequency:
      fitted.categories =
          Categories::learn(column, spec.categories_max, spec.encode != Encoding::kOrdinal);
      if (spec.encode == Encoding::kFrequency) fit_frequency(column, fitted);
      break;
    case Encoding::kTimestamp: fitted.parts = spec.parts; break;
    case Encoding::kHashedText: fitted.buckets = spec.buckets; break;
  }
  return fitted;
}

Result<OutOfFold> fit_target(const ColumnSpec& spec, const data::Column& column,
                             const Target& target, std::uint64_t seed, FittedColumn& fitted) {
  if (target.values.size() != column.rows()) {
    return invalid_argument("column " + quoted(column.name) +
                            " is encoded by the target, so the target of each row is needed");
  }
  const std::size_t outputs = target.classes > 2 ? target.classes : 1;
  const std::size_t slots = fitted.categories.slots();
  const auto folds = static_cast<std::size_t>(spec.folds);
  Sums all(slots, outputs);
  std::vector<Sums> by_fold(folds, Sums(slots, outputs));
  std::vector<int> slot_of(column.rows());
  std::vector<std::size_t> fold_of(column.rows());
  SeededRandom random(seed);
  for (std::size_t row = 0; row < column.rows(); ++row) {
    slot_of[row] = fitted.categories.slot(column, row);
    fold_of[row] = random.below(folds);
    all.add(slot_of[row], target.values[row], target.classes);
    by_fold[fold_of[row]].add(slot_of[row], target.values[row], target.classes);
  }
  for (std::size_t slot = 0; slot < slots; ++slot) {
    for (std::size_t output = 0; output < outputs; ++output) {
      fitted.values.push_back(
          all.smoothed(nullptr, static_cast<int>(slot), output, spec.smoothing));
    }
  }
  for (std::size_t output = 0; output < outputs; ++output) {
    fitted.unseen.push_back(all.smoothed(nullptr, Categories::kNoSlot, output, spec.smoothing));
  }
  OutOfFold result;
  result.outputs = outputs;
  result.values.reserve(column.rows() * outputs);
  for (std::size_t row = 0; row < column.rows(); ++row) {
    for (std::size_t output = 0; output < outputs; ++output) {
      result.values.push_back(
          to_float(all.smoothed(&by_fold[fold_of[row]], slot_of[row], output, spec.smoothing)));
    }
  }
  return result;
}

void OutOfFold::overwrite(std::vector<float>& matrix, std::size_t width, std::size_t at) const {
  if (outputs == 0) return;
  for (std::size_t row = 0; row < values.size() / outputs; ++row) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row * outputs), outputs,
                matrix.begin() + static_cast<std::ptrdiff_t>(row * width + at));
  }
}

}  // namespace ciclo::features
