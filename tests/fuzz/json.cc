// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <cstdint>

#include "base/check.h"

// What is accepted is written so that it reads back as the same value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = ciclo::json::parse(text);
  if (!value.ok()) return 0;
  const auto again = ciclo::json::parse(ciclo::json::dump(*value));
  CHECK(again.ok());
  CHECK(*again == *value);
  const auto pretty = ciclo::json::parse(ciclo::json::dump_pretty(*value));
  CHECK(pretty.ok());
  CHECK(*pretty == *value);
  return 0;
}
