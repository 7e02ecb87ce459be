// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace ciclo::train {

struct MinimiseOptions {
  // l1[i] · |x[i]| is added to the function; 0 where there is no such penalty.
  std::vector<double> l1;
  int iterations_max = 1000;
  // Ends when no component of the (pseudo-)gradient is larger.
  double gradient_max = 1e-8;
};

// Minimises a smooth convex function plus an L1 penalty by L-BFGS (Nocedal 1980) in its
// orthant-wise form (OWL-QN; Andrew, Gao 2007), from `start`. The function returns its value at x
// and writes its gradient.
std::vector<double> minimise(
    const std::function<double(std::span<const double> x, std::span<double> gradient)>& function,
    std::vector<double> start, const MinimiseOptions& options);

}  // namespace ciclo::train
