// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

// Has a column changed? Pure functions: a sample of one window against what is known of the
// reference (training) data. A verdict needs both an effect of a size that matters and evidence
// that it is not chance; either alone misleads (large windows make trifles significant, small
// windows make chance look large).

namespace ciclo::monitor {

// --- Tails of distributions, accurate to about 1e-12 relative where the result is above 1e-300.

// P(Z > z) for a standard normal Z.
double normal_upper_tail(double z);
// P(X > x) for X ~ chi-square with `degrees` > 0 degrees of freedom (regularised incomplete gamma:
// series below x/2 = a + 1, continued fraction above; Abramowitz, Stegun 6.5.29, 6.5.31).
double chi_square_upper_tail(double x, double degrees);
// Kolmogorov's limit law, P(sqrt(n) D > x) = 2 Σ (-1)^(k-1) exp(-2 k² x²).
double kolmogorov_upper_tail(double x);

struct TestResult {
  double statistic = 0;
  double p_value = 1;
};

// --- Population stability index over the same buckets of two samples:
//   PSI = Σ (a_i - r_i) ln(a_i / r_i)
// with shares r_i = (n_i + 1/2) / (n + k/2), a_i likewise, so that an empty bucket stays finite.
// Both spans have the same length k; counts may be fractional. 0 when either side is empty.
double population_stability_index(std::span<const double> reference,
                                  std::span<const double> actual);

// What PSI is on average when nothing has changed: (k - 1) (1/n + 1/m), since n m / (n + m) PSI is
// asymptotically chi-square with k - 1 degrees (Yurdakul 2018, "Statistical properties of
// population stability index"). Subtracted, PSI no longer grows just because a window is small or
// has many buckets.
double population_stability_index_by_chance(std::size_t buckets, double reference_rows,
                                            double actual_rows);

// --- Two-sample Kolmogorov-Smirnov against a reference of which only quantiles are known.
// At a reference quantile v of level l, the reference law has F(v-) <= l <= F(v). The distance at v
// is by how much l lies outside of [A(v-), A(v)], A being the sample's distribution function; the
// statistic is the largest of these. With both levels of every reference value as knots this is the
// exact two-sample D where no values tie; with fewer knots, or ties, it is a lower bound, so the
// test errs on the side of silence. The p-value is kolmogorov_upper_tail(D sqrt(n m / (n + m)))
// (Smirnov 1939; scipy.stats.kstwobign).
struct QuantileKnot {
  double level = 0;  // [0, 1], ascending
  double value = 0;  // ascending, equal values allowed
};
// `ranks` holds, for each knot, how many of the sample's `rows` values lie below it, and at or
// below it.
struct KnotRank {
  double below = 0;
  double up_to = 0;
};
TestResult kolmogorov_smirnov(std::span<const QuantileKnot> reference, double reference_rows,
                              std::span<const KnotRank> ranks, double rows);

// --- Pearson's chi-square test of homogeneity of two rows of counts (scipy.stats.chi2_contingency
// without correction). Buckets with an expected count below 5 in either row are pooled into one
// first, since the limit law does not hold for them. p 1 when fewer than two buckets are left.
struct ChiSquareResult {
  double statistic = 0;
  double degrees = 0;
  double p_value = 1;
};
ChiSquareResult chi_square_homogeneity(std::span<const double> reference,
                                       std::span<const double> actual);

// --- Two proportions, pooled z test, two-sided (statsmodels proportions_ztest). For shares of
// nulls. p 1 when both shares are 0 or both are 1, or a side is empty.
TestResult two_proportions(double hits_a, double rows_a, double hits_b, double rows_b);

// --- Something that none of the reference rows showed stands in `hits` of `rows`: Fisher's exact
// test, one-sided, C(rows, hits) / C(rows + reference_rows, hits). For rows in new categories,
// where the normal approximation would call a single odd row certain.
double unseen_in_reference(double hits, double rows, double reference_rows);

// --- Benjamini, Hochberg 1995: adjusted p-values (scipy.stats.false_discovery_control), in the
// order given. Rejecting those <= α keeps the expected share of false alarms among alarms below α.
std::vector<double> benjamini_hochberg(std::span<const double> p_values);

// --- One column.

// The values of a column in one window, in the buckets of its reference: between its deciles, or by
// category with all unlisted ones in the last.
struct WindowCounts {
  double nulls = 0;
  std::vector<double> buckets;

  template <class V>
  void fields(V& v) {
    v("nulls", nulls);
    v("buckets", buckets);
  }
};

// What is known of a column from the data that its model was trained on.
//
// Rows of a week resemble one another more than rows of half a year do, so a single week is always
// far from the whole. Where the training rows had times, `windows` holds them cut as the monitor
// cuts traffic, and a window is compared with the training window that is nearest to it. What is
// far is learned from the training windows themselves: `windows_psi` is the largest distance that
// one of them has from its own nearest neighbour. See README.md for the method and its rate of
// false alarms.
struct ColumnReference {
  std::string name;
  bool is_categorical = false;
  double rows = 0;  // with nulls
  double nulls = 0;
  std::vector<QuantileKnot> quantiles;  // numeric: of the values that are not null
  std::vector<std::pair<std::string, double>> categories;  // categorical: count by value
  // Rows whose category is not listed. 0: the list is complete, so an unlisted category is new.
  double other = 0;
  std::vector<WindowCounts> windows;  // empty: compared with all training rows at once
  double windows_psi = 0;
  double windows_null_share = 0;  // the same of the share of nulls
};

// Below so many training windows their spread says too little, and none is used.
inline constexpr std::size_t kTrainingWindowsMin = 8;
// A window is far when it is farther than any training window by this factor.
inline constexpr double kTrainingWindowsMargin = 1.5;

// Sets windows and what follows from them; does nothing when they are fewer than
// kTrainingWindowsMin.
void set_training_windows(ColumnReference& reference, std::vector<WindowCounts> windows);

struct DriftLimits {
  double alpha = 0.01;       // of the adjusted p-value
  double psi = 0.2;          // corrected for chance; 0.1 is often called moderate, 0.2 large
  double null_share = 0.05;  // absolute change of the share of nulls
  double new_category_share = 0.02;

  template <class V>
  void fields(V& v) {
    v.or_default("alpha", alpha);
    v.or_default("psi", psi);
    v.or_default("null_share", null_share);
    v.or_default("new_category_share", new_category_share);
  }
};

struct ColumnDrift {
  std::string column;
  std::string test;          // "ks" or "chi_square"
  double rows = 0;           // of the window, without nulls
  double psi = 0;            // as computed
  double psi_corrected = 0;  // less what chance alone gives; not below 0
  double psi_nearest = 0;    // the same against the nearest training window; else psi_corrected
  double psi_limit = 0;      // what psi_nearest was held against
  double statistic = 0;      // of the test
  double p_value = 1;
  double q_value = 1;  // adjusted over all tests of all columns of the window
  double null_share = 0;
  double null_share_reference = 0;
  double null_change = 0;  // absolute, against the nearest training window; else the reference
  double null_limit = 0;   // what null_change was held against
  double null_p_value = 1;
  double null_q_value = 1;
  double new_category_share = 0;
  double new_category_p_value = 1;
  double new_category_q_value = 1;
  bool is_drifted = false;
  std::vector<std::string> reasons;  // "distribution", "nulls", "new_categories"

  template <class V>
  void fields(V& v) {
    v("column", column);
    v("test", test);
    v("rows", rows);
    v("psi", psi);
    v("psi_corrected", psi_corrected);
    v.or_default("psi_nearest", psi_nearest);
    v.or_default("psi_limit", psi_limit);
    v("statistic", statistic);
    v("p_value", p_value);
    v("q_value", q_value);
    v("null_share", null_share);
    v("null_share_reference", null_share_reference);
    v.or_default("null_change", null_change);
    v.or_default("null_limit", null_limit);
    v("null_p_value", null_p_value);
    v("null_q_value", null_q_value);
    v("new_category_share", new_category_share);
    v("new_category_p_value", new_category_p_value);
    v("new_category_q_value", new_category_q_value);
    v("is_drifted", is_drifted);
    v("reasons", reasons);
  }
};

// One column of one window, value by value. Keeps counts only, at the reference's quantiles or
// categories, so it is exact and as small for a billion rows as for ten. Not safe to share between
// threads.
class ColumnSample {
 public:
  // The reference must outlive the sample.
  explicit ColumnSample(const ColumnReference& reference);

  void add_null() { ++nulls_; }
  void add(double number);           // of a numeric column; NaN is null
  void add(std::string_view value);  // of a categorical column

  // Without q-values and verdict: see judge_drift. The limits are those that the training windows
  // set; 0 where there are none.
  ColumnDrift measure() const;
  WindowCounts counts() const;
  const ColumnReference& reference() const { return reference_; }

 private:
  void measure_numeric(ColumnDrift& out) const;
  void measure_categorical(ColumnDrift& out) const;
  KnotRank rank_of(double value, std::span<const KnotRank> by_point) const;
  std::vector<KnotRank> ranks_of_points() const;
  std::vector<double> numeric_buckets() const;

  const ColumnReference& reference_;
  std::uint64_t nulls_ = 0;
  std::uint64_t rows_ = 0;  // that are not null
  // Numeric: the different knot values, and the counts of values before, at, between and behind
  // them.
  std::vector<double> points_;
  std::vector<std::uint64_t> at_;
  std::vector<std::uint64_t> before_;
  // Categorical: one count for each listed category, the last for all others.
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<std::uint64_t> counts_;
};

// Sets the q-values over all tests of all columns together, then the verdicts.
void judge_drift(std::vector<ColumnDrift>& columns, const DriftLimits& limits);

}  // namespace ciclo::monitor
