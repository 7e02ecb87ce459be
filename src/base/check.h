// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ciclo {

// Prints the failed condition with its place on standard error and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace ciclo

// For what can only be a bug, in release builds too. Never for input.
#define CHECK(condition)                                     \
  do {                                                       \
    if (!(condition)) [[unlikely]]                           \
      ::ciclo::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
