// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numbers>

#include "monitor/drift.h"

namespace ciclo::monitor {
namespace {

constexpr double kTiny = 1e-300;
constexpr int kTermsMax = 100'000;

// lgamma writes a global; this form does not.
double log_gamma(double a) {
  int sign = 0;
  return ::lgamma_r(a, &sign);
}

// P(a, x), the lower tail, for x < a + 1.
double gamma_lower_series(double a, double x) {
  double term = 1 / a;
  double sum = term;
  for (int n = 1; n < kTermsMax; ++n) {
    term *= x / (a + n);
    sum += term;
    if (term < sum * std::numeric_limits<double>::epsilon()) break;
  }
  return sum * std::exp(-x + a * std::log(x) - log_gamma(a));
}

// Q(a, x), the upper tail, for x >= a + 1, by Lentz's method.
double gamma_upper_fraction(double a, double x) {
  double b = x + 1 - a;
  double c = 1 / kTiny;
  double d = 1 / b;
  double h = d;
  for (int n = 1; n < kTermsMax; ++n) {
    const double an = -n * (n - a);
    b += 2;
    d = an * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    const double factor = d * c;
    h *= factor;
    if (std::abs(factor - 1) < std::numeric_limits<double>::epsilon()) break;
  }
  return h * std::exp(-x + a * std::log(x) - log_gamma(a));
}

}  // namespace

double normal_upper_tail(double z) { return 0.5 * std::erfc(z / std::numbers::sqrt2); }

double chi_square_upper_tail(double x, double degrees) {
  if (!(x > 0)) return 1;
  const double a = degrees / 2;
  const double half = x / 2;
  return half < a + 1 ? 1 - gamma_lower_series(a, half) : gamma_upper_fraction(a, half);
}

double kolmogorov_upper_tail(double x) {
  if (!(x > 0)) return 1;
  // Two forms of the same theta function; each converges in a few terms on its side.
  if (x < 1.18) {
    const double step = std::exp(-std::numbers::pi * std::numbers::pi / (8 * x * x));
    double sum = 0;
    for (int k = 1; k <= 7; k += 2) sum += std::pow(step, k * k);
    return 1 - std::sqrt(2 * std::numbers::pi) / x * sum;
  }
  double sum = 0;
  for (int k = 1; k <= 6; ++k) sum += (k % 2 == 1 ? 1 : -1) * std::exp(-2.0 * k * k * x * x);
  return 2 * sum;
}

}  // namespace ciclo::monitor
