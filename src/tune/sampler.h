// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/json.h"
#include "tune/space.h"

namespace ciclo::tune {

// Random search (Bergstra, Bengio 2012). The value of a parameter depends on the seed, the trial
// number and the parameter's name alone: trials may run in any order, in parallel and again after a
// restart, and adding a parameter leaves the values of the others as they were. Safe to share
// between threads.
class RandomSampler {
 public:
  RandomSampler(Space space, std::uint64_t seed);

  // An object with one value for each parameter of the space, in its order. Trials count from 0.
  json::Value suggest(std::uint64_t trial) const;

 private:
  Space space_;
  std::uint64_t seed_;
};

}  // namespace ciclo::tune
