// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ciclo::data {

// A number as the name of a category or class, the same wherever one is named: whole numbers up to
// 2^53 without fraction or exponent (100000), others as the shortest text that reads back as them.
std::string number_name(double value);

}  // namespace ciclo::data
