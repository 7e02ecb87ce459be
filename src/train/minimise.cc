// SPDX-License-Identifier: Apache-2.0
#include "train/minimise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <numeric>
#include <utility>

namespace ciclo::train {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double penalty(const Vector& x, const Vector& l1) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += l1[i] * std::abs(x[i]);
  return sum;
}

// The gradient of function and penalty together; where the penalty has its kink, the one-sided
// derivative that falls, or 0 when neither does.
Vector pseudo_gradient(const Vector& x, const Vector& gradient, const Vector& l1) {
  Vector result = gradient;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (l1[i] == 0) continue;
    if (x[i] != 0) {
      result[i] += std::copysign(l1[i], x[i]);
    } else if (gradient[i] < -l1[i]) {
      result[i] += l1[i];
    } else if (gradient[i] > l1[i]) {
      result[i] -= l1[i];
    } else {
      result[i] = 0;
    }
  }
  return result;
}

// The last steps and changes of the gradient, and the product of the inverse Hessian that they
// imply.
class History {
 public:
  void add(Vector step, Vector change) {
    const double curvature = dot(step, change);
    if (curvature <= 1e-16 * dot(change, change)) return;
    pairs_.push_back({std::move(step), std::move(change), 1 / curvature});
    if (pairs_.size() > kPairsMax) pairs_.pop_front();
  }
  void clear() { pairs_.clear(); }
  bool empty() const { return pairs_.empty(); }

  Vector times(Vector q) const {
    Vector alpha(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      alpha[i] = pairs_[i].inverse * dot(pairs_[i].step, q);
      for (std::size_t j = 0; j < q.size(); ++j) q[j] -= alpha[i] * pairs_[i].change[j];
    }
    if (!pairs_.empty()) {
      const auto& last = pairs_.back();
      const double scale = 1 / (last.inverse * dot(last.change, last.change));
      for (double& value : q) value *= scale;
    }
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const double beta = pairs_[i].inverse * dot(pairs_[i].change, q);
      for (std::size_t j = 0; j < q.size(); ++j) q[j] += (alpha[i] - beta) * pairs_[i].step[j];
    }
    return q;
  }

 private:
  static constexpr std::size_t kPairsMax = 20;
  struct Pair {
    Vector step;
    Vector change;
    double inverse;
  };
  std::deque<Pair> pairs_;
};

}  // namespace

std::vector<double> minimise(
    const std::function<double(std::span<const double>, std::span<double>)>& function,
    std::vector<double> x, const MinimiseOptions& options) {
  const std::size_t n = x.size();
  const Vector& l1 = options.l1;
  Vector gradient(n);
  double value = function(x, gradient) + penalty(x, l1);
  History history;
  for (int iteration = 0; iteration < options.iterations_max; ++iteration) {
    const Vector pseudo = pseudo_gradient(x, gradient, l1);
    double largest = 0;
    for (const double g : pseudo) largest = std::max(largest, std::abs(g));
    if (largest <= options.gradient_max) break;

    Vector direction = history.times(pseudo);
    for (std::size_t i = 0; i < n; ++i) {
      direction[i] = -direction[i];
      // With a penalty, a component may not go against the direction of fall.
      if (l1[i] != 0 && direction[i] * pseudo[i] >= 0) direction[i] = 0;
    }
    const double slope = dot(direction, pseudo);
    if (!(slope < 0)) {
      if (history.empty()) break;
      history.clear();
      continue;
    }

    double length = history.empty() ? std::min(1.0, 1 / std::sqrt(dot(pseudo, pseudo))) : 1.0;
    bool fell = false;
    Vector next(n);
    Vector next_gradient(n);
    for (int halving = 0; halving < 50 && !fell; ++halving, length /= 2) {
      for (std::size_t i = 0; i < n; ++i) {
        next[i] = x[i] + length * direction[i];
        // The orthant of a penalised component is left only through 0.
        const double side = x[i] != 0 ? x[i] : -pseudo[i];
        if (l1[i] != 0 && next[i] * side < 0) next[i] = 0;
      }
      const double next_value = function(next, next_gradient) + penalty(next, l1);
      double expected = 0;
      for (std::size_t i = 0; i < n; ++i) expected += pseudo[i] * (next[i] - x[i]);
      if (next_value <= value + 1e-4 * expected) {
        fell = true;
        value = next_value;
      }
    }
    if (!fell) {
      if (history.empty()) break;  // no progress that double precision can show
      history.clear();
      continue;
    }
    Vector step(n);
    Vector change(n);
    for (std::size_t i = 0; i < n; ++i) {
      step[i] = next[i] - x[i];
      change[i] = next_gradient[i] - gradient[i];
    }
    history.add(std::move(step), std::move(change));
    x = std::move(next);
    gradient = std::move(next_gradient);
  }
  return x;
}

}  // namespace ciclo::train
