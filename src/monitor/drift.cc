// SPDX-License-Identifier: Apache-2.0
#include "monitor/drift.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace ciclo::monitor {
namespace {

constexpr double kExpectedMin = 5;  // below it, chi-square's limit law is not to be trusted

double total(std::span<const double> counts) {
  return std::accumulate(counts.begin(), counts.end(), 0.0);
}

// The counts of both sides, with the rare buckets pooled until each bucket is expected to hold at
// least kExpectedMin on the smaller side.
struct Pooled {
  std::vector<double> reference;
  std::vector<double> actual;
};

Pooled pool_rare(std::span<const double> reference, std::span<const double> actual) {
  const double n = total(reference);
  const double m = total(actual);
  const double smaller_share = std::min(n, m) / std::max(n + m, 1.0);
  std::vector<std::size_t> order(reference.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return reference[a] + actual[a] < reference[b] + actual[b];
  });
  Pooled out;
  double pool_reference = 0;
  double pool_actual = 0;
  const auto expected = [&](double r, double a) { return (r + a) * smaller_share; };
  for (const std::size_t i : order) {
    const double r = reference[i];
    const double a = actual[i];
    if (r + a == 0) continue;
    const bool pool_open =
        pool_reference + pool_actual > 0 && expected(pool_reference, pool_actual) < kExpectedMin;
    if (pool_open || expected(r, a) < kExpectedMin) {
      pool_reference += r;
      pool_actual += a;
    } else {
      out.reference.push_back(r);
      out.actual.push_back(a);
    }
  }
  if (pool_reference + pool_actual > 0) {
    out.reference.push_back(pool_reference);
    out.actual.push_back(pool_actual);
  }
  return out;
}

// A boundary between buckets: values below it (or equal to it, when inclusive) lie left.
struct Cut {
  double value = 0;
  bool inclusive = true;
  double level = 0;  // the share of reference values to its left
};

// Cuts at the reference's deciles. A value that spans several levels (a mass point, such as the
// zero of rainfall) gets a bucket of its own.
std::vector<Cut> decile_cuts(std::span<const QuantileKnot> knots) {
  std::vector<Cut> cuts;
  for (int decile = 1; decile <= 9; ++decile) {
    const double level = decile / 10.0;
    const auto at = std::find_if(knots.begin(), knots.end(), [&](const QuantileKnot& knot) {
      return knot.level >= level - 1e-9;
    });
    if (at == knots.end()) break;
    if (!cuts.empty() && cuts.back().value == at->value) continue;
    const auto same = std::equal_range(
        knots.begin(), knots.end(), *at,
        [](const QuantileKnot& a, const QuantileKnot& b) { return a.value < b.value; });
    const double low = same.first->level;
    const double high = (same.second - 1)->level;
    if (high > low) cuts.push_back({at->value, false, low});
    cuts.push_back({at->value, true, high});
  }
  return cuts;
}

void measure_psi(ColumnDrift& drift, std::span<const double> reference,
                 std::span<const double> actual) {
  drift.psi = population_stability_index(reference, actual);
  drift.psi_corrected =
      std::max(0.0, drift.psi - population_stability_index_by_chance(
                                    reference.size(), total(reference), total(actual)));
}

double corrected_psi(const WindowCounts& a, const WindowCounts& b, bool is_categorical) {
  ColumnDrift drift;
  if (is_categorical) {
    const Pooled pooled = pool_rare(a.buckets, b.buckets);
    measure_psi(drift, pooled.reference, pooled.actual);
  } else {
    measure_psi(drift, a.buckets, b.buckets);
  }
  return drift.psi_corrected;
}

double null_share_of(const WindowCounts& counts) {
  const double rows = total(counts.buckets) + counts.nulls;
  return rows > 0 ? counts.nulls / rows : 0;
}

// How far a window is from the nearest of others.
struct Nearest {
  double psi = std::numeric_limits<double>::infinity();
  double null_change = std::numeric_limits<double>::infinity();
};

Nearest nearest_of(const WindowCounts& window, std::span<const WindowCounts> others,
                   bool is_categorical,
                   std::size_t itself = std::numeric_limits<std::size_t>::max()) {
  Nearest out;
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (i == itself) continue;
    out.psi = std::min(out.psi, corrected_psi(others[i], window, is_categorical));
    out.null_change =
        std::min(out.null_change, std::abs(null_share_of(others[i]) - null_share_of(window)));
  }
  return out;
}

}  // namespace

double population_stability_index(std::span<const double> reference,
                                  std::span<const double> actual) {
  CHECK(reference.size() == actual.size());
  const double n = total(reference);
  const double m = total(actual);
  if (n <= 0 || m <= 0) return 0;
  const double k = static_cast<double>(reference.size());
  double psi = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double r = (reference[i] + 0.5) / (n + k / 2);
    const double a = (actual[i] + 0.5) / (m + k / 2);
    psi += (a - r) * std::log(a / r);
  }
  return psi;
}

double population_stability_index_by_chance(std::size_t buckets, double reference_rows,
                                            double actual_rows) {
  if (buckets < 2 || reference_rows <= 0 || actual_rows <= 0) return 0;
  return static_cast<double>(buckets - 1) * (1 / reference_rows + 1 / actual_rows);
}

TestResult kolmogorov_smirnov(std::span<const QuantileKnot> reference, double reference_rows,
                              std::span<const KnotRank> ranks, double rows) {
  CHECK(reference.size() == ranks.size());
  if (reference.empty() || reference_rows <= 0 || rows <= 0) return {};
  TestResult out;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double level = reference[i].level;
    out.statistic =
        std::max({out.statistic, ranks[i].below / rows - level, level - ranks[i].up_to / rows});
  }
  out.p_value = kolmogorov_upper_tail(out.statistic *
                                      std::sqrt(reference_rows * rows / (reference_rows + rows)));
  return out;
}

ChiSquareResult chi_square_homogeneity(std::span<const double> reference,
                                       std::span<const double> actual) {
  CHECK(reference.size() == actual.size());
  const Pooled pooled = pool_rare(reference, actual);
  if (pooled.reference.size() < 2) return {};
  const double n = total(pooled.reference);
  const double m = total(pooled.actual);
  if (n <= 0 || m <= 0) return {};
  ChiSquareResult out;
  for (std::size_t i = 0; i < pooled.reference.size(); ++i) {
    const double both = pooled.reference[i] + pooled.actual[i];
    const double expected_reference = both * n / (n + m);
    const double expected_actual = both * m / (n + m);
    const double off = pooled.reference[i] - expected_reference;
    out.statistic += off * off * (1 / expected_reference + 1 / expected_actual);
  }
  out.degrees = static_cast<double>(pooled.reference.size() - 1);
  out.p_value = chi_square_upper_tail(out.statistic, out.degrees);
  return out;
}

TestResult two_proportions(double hits_a, double rows_a, double hits_b, double rows_b) {
  if (rows_a <= 0 || rows_b <= 0) return {};
  const double pooled = (hits_a + hits_b) / (rows_a + rows_b);
  const double variance = pooled * (1 - pooled) * (1 / rows_a + 1 / rows_b);
  if (!(variance > 0)) return {};
  const double z = (hits_a / rows_a - hits_b / rows_b) / std::sqrt(variance);
  return {.statistic = z, .p_value = 2 * normal_upper_tail(std::abs(z))};
}

double unseen_in_reference(double hits, double rows, double reference_rows) {
  double p = 1;
  for (double i = 0; i < hits && p > 0; ++i) p *= (rows - i) / (rows + reference_rows - i);
  return p;
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
  const std::size_t count = p_values.size();
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] > p_values[b]; });
  std::vector<double> adjusted(count);
  double least = 1;
  for (std::size_t i = 0; i < count; ++i) {
    const double rank = static_cast<double>(count - i);
    least = std::min(least, p_values[order[i]] * static_cast<double>(count) / rank);
    adjusted[order[i]] = least;
  }
  return adjusted;
}

ColumnSample::ColumnSample(const ColumnReference& reference) : reference_(reference) {
  if (reference.is_categorical) {
    for (const auto& [value, count] : reference.categories) index_.emplace(value, index_.size());
    counts_.resize(index_.size() + 1);
    return;
  }
  for (const QuantileKnot& knot : reference.quantiles) {
    if (points_.empty() || points_.back() != knot.value) points_.push_back(knot.value);
  }
  at_.resize(points_.size());
  before_.resize(points_.size() + 1);
}

void ColumnSample::add(double number) {
  if (std::isnan(number)) return add_null();
  ++rows_;
  const auto point = std::lower_bound(points_.begin(), points_.end(), number);
  const auto index = static_cast<std::size_t>(point - points_.begin());
  if (point != points_.end() && *point == number) {
    ++at_[index];
  } else {
    ++before_[index];
  }
}

void ColumnSample::add(std::string_view value) {
  ++rows_;
  const auto found = index_.find(value);
  ++counts_[found == index_.end() ? counts_.size() - 1 : found->second];
}

ColumnDrift ColumnSample::measure() const {
  ColumnDrift out;
  out.column = reference_.name;
  out.rows = static_cast<double>(rows_);
  if (reference_.is_categorical) {
    measure_categorical(out);
  } else {
    measure_numeric(out);
  }
  const double nulls = static_cast<double>(nulls_);
  const double rows = out.rows + nulls;
  out.null_share = rows > 0 ? nulls / rows : 0;
  out.null_share_reference = reference_.rows > 0 ? reference_.nulls / reference_.rows : 0;
  out.null_p_value = two_proportions(reference_.nulls, reference_.rows, nulls, rows).p_value;
  out.psi_nearest = out.psi_corrected;
  out.null_change = std::abs(out.null_share - out.null_share_reference);
  if (reference_.windows.empty()) return out;
  const Nearest nearest = nearest_of(counts(), reference_.windows, reference_.is_categorical);
  out.psi_nearest = nearest.psi;
  out.null_change = nearest.null_change;
  out.psi_limit = kTrainingWindowsMargin * reference_.windows_psi;
  out.null_limit = kTrainingWindowsMargin * reference_.windows_null_share;
  return out;
}

void set_training_windows(ColumnReference& reference, std::vector<WindowCounts> windows) {
  if (windows.size() < kTrainingWindowsMin) return;
  reference.windows_psi = 0;
  reference.windows_null_share = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Nearest nearest = nearest_of(windows[i], windows, reference.is_categorical, i);
    reference.windows_psi = std::max(reference.windows_psi, nearest.psi);
    reference.windows_null_share = std::max(reference.windows_null_share, nearest.null_change);
  }
  reference.windows = std::move(windows);
}

std::vector<KnotRank> ColumnSample::ranks_of_points() const {
  std::vector<KnotRank> by_point(points_.size());
  double below = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    below += static_cast<double>(before_[i]);
    by_point[i] = {below, below + static_cast<double>(at_[i])};
    below = by_point[i].up_to;
  }
  return by_point;
}

KnotRank ColumnSample::rank_of(double value, std::span<const KnotRank> by_point) const {
  return by_point[static_cast<std::size_t>(std::lower_bound(points_.begin(), points_.end(), value) -
                                           points_.begin())];
}

std::vector<double> ColumnSample::numeric_buckets() const {
  const auto by_point = ranks_of_points();
  std::vector<double> buckets;
  double taken = 0;
  for (const Cut& cut : decile_cuts(reference_.quantiles)) {
    const KnotRank rank = rank_of(cut.value, by_point);
    const double up_to = cut.inclusive ? rank.up_to : rank.below;
    buckets.push_back(up_to - taken);
    taken = up_to;
  }
  buckets.push_back(static_cast<double>(rows_) - taken);
  return buckets;
}

WindowCounts ColumnSample::counts() const {
  WindowCounts out;
  out.nulls = static_cast<double>(nulls_);
  if (reference_.is_categorical) {
    out.buckets.assign(counts_.begin(), counts_.end());
  } else {
    out.buckets = numeric_buckets();
  }
  return out;
}

void ColumnSample::measure_numeric(ColumnDrift& out) const {
  out.test = "ks";
  const std::span<const QuantileKnot> knots = reference_.quantiles;
  if (knots.empty()) return;
  const double reference_rows = reference_.rows - reference_.nulls;
  const auto by_point = ranks_of_points();
  std::vector<KnotRank> ranks;
  ranks.reserve(knots.size());
  for (const QuantileKnot& knot : knots) ranks.push_back(rank_of(knot.value, by_point));
  const auto ks = kolmogorov_smirnov(knots, reference_rows, ranks, out.rows);
  out.statistic = ks.statistic;
  out.p_value = ks.p_value;

  std::vector<double> reference;
  double level = 0;
  for (const Cut& cut : decile_cuts(knots)) {
    reference.push_back((cut.level - level) * reference_rows);
    level = cut.level;
  }
  reference.push_back((1 - level) * reference_rows);
  measure_psi(out, reference, numeric_buckets());
}

void ColumnSample::measure_categorical(ColumnDrift& out) const {
  out.test = "chi_square";
  std::vector<double> reference;
  for (const auto& [value, count] : reference_.categories) reference.push_back(count);
  reference.push_back(reference_.other);
  const std::vector<double> actual(counts_.begin(), counts_.end());
  const auto chi_square = chi_square_homogeneity(reference, actual);
  out.statistic = chi_square.statistic;
  out.p_value = chi_square.p_value;
  const Pooled pooled = pool_rare(reference, actual);
  measure_psi(out, pooled.reference, pooled.actual);
  if (reference_.other != 0 || rows_ == 0) return;
  out.new_category_share = actual.back() / out.rows;
  out.new_category_p_value =
      unseen_in_reference(actual.back(), out.rows, reference_.rows - reference_.nulls);
}

void judge_drift(std::vector<ColumnDrift>& columns, const DriftLimits& limits) {
  std::vector<double> p_values;
  for (const auto& column : columns) {
    p_values.insert(p_values.end(),
                    {column.p_value, column.null_p_value, column.new_category_p_value});
  }
  const std::vector<double> q_values = benjamini_hochberg(p_values);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    ColumnDrift& column = columns[i];
    column.q_value = q_values[3 * i];
    column.null_q_value = q_values[3 * i + 1];
    column.new_category_q_value = q_values[3 * i + 2];
    column.psi_limit = std::max(column.psi_limit, limits.psi);
    column.null_limit = std::max(column.null_limit, limits.null_share);
    column.reasons.clear();
    if (column.q_value <= limits.alpha && column.psi_nearest >= column.psi_limit) {
      column.reasons.emplace_back("distribution");
    }
    if (column.null_q_value <= limits.alpha && column.null_change >= column.null_limit) {
      column.reasons.emplace_back("nulls");
    }
    if (column.new_category_q_value <= limits.alpha &&
        column.new_category_share >= limits.new_category_share) {
      column.reasons.emplace_back("new_categories");
    }
    column.is_drifted = !column.reasons.empty();
  }
}

}  // namespace ciclo::monitor
