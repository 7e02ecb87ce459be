// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/random.h"

namespace ciclo::tracking {

// "brisk-heron-417": an adjective, a noun, a number below 1,000. For what its maker gave no name.
std::string generated_name(Random& random);

}  // namespace ciclo::tracking
