// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <cstdint>
#include <string_view>

#include "base/check.h"

// The first line is a pattern, the rest a text. A pattern's own text is the same pattern.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\n');
  const std::string_view text = end == std::string_view::npos ? "" : all.substr(end + 1);
  const auto pattern = ciclo::Pattern::parse(all.substr(0, end));
  if (!pattern.ok()) {
    CHECK(!pattern.error().message.empty());
    return 0;
  }
  const auto again = ciclo::Pattern::parse(pattern->text());
  CHECK(again.ok());
  CHECK(again->text() == pattern->text());
  CHECK(again->matches(text) == pattern->matches(text));
  return 0;
}
