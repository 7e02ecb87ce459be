// SPDX-License-Identifier: Apache-2.0
#include <limits>

// Overflows a signed number: a build with the undefined-behaviour sanitizer must end here with an
// error, and not only print.
int main(int argc, char**) {
  int number = std::numeric_limits<int>::max();
  number += argc;
  return number == 0 ? 1 : 0;
}
