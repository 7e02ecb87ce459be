// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <cstdint>

#include "base/check.h"

// Whatever comes, there is a value or a message that names a place.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = ciclo::yaml::parse(text, "fuzz.yaml");
  if (value.ok()) {
    static_cast<void>(ciclo::json::dump(*value));
  } else {
    CHECK(value.error().message.starts_with("fuzz.yaml:"));
  }
  return 0;
}
