// SPDX-License-Identifier: Apache-2.0
#include "tracking/filter.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/check.h"

namespace {

using namespace ciclo::tracking;

// What a comparator takes stands beside it, whatever the text was.
void check(const Comparison& comparison) {
  const bool takes_none = comparison.comparator == Comparator::kIsNull ||
                          comparison.comparator == Comparator::kIsNotNull;
  const bool takes_list =
      comparison.comparator == Comparator::kIn || comparison.comparator == Comparator::kNotIn;
  CHECK(std::holds_alternative<std::monostate>(comparison.value) == takes_none);
  CHECK(std::holds_alternative<std::vector<std::string>>(comparison.value) == takes_list);
  CHECK(!text_of(comparison.comparator).empty());
}

}  // namespace

// Any text is a filter or is refused with a message, and so it is as a term of an order.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto filter = parse_filter(text);
  if (filter.ok()) {
    CHECK(filter->size() <= 100);
    for (const auto& comparison : *filter) check(comparison);
  } else {
    CHECK(!filter.error().message.empty());
  }
  const auto term = parse_order_term(text);
  if (!term.ok()) CHECK(!term.error().message.empty());
  return 0;
}
