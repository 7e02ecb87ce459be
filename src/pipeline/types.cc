// SPDX-License-Identifier: Apache-2.0
#include "pipeline/types.h"

#include <algorithm>
#include <array>

namespace ciclo::pipeline {
namespace {

constexpr std::array<std::string_view, 7> kStateNames = {
    "pending", "running", "succeeded", "cached", "failed", "skipped", "cancelled"};

}  // namespace

std::span<const std::string_view> enum_names(State) { return kStateNames; }

std::string_view state_name(State state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::optional<State> parse_state(std::string_view name) {
  const auto* const found = std::find(kStateNames.begin(), kStateNames.end(), name);
  if (found == kStateNames.end()) return std::nullopt;
  return static_cast<State>(found - kStateNames.begin());
}

}  // namespace ciclo::pipeline
