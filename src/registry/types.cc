// SPDX-License-Identifier: Apache-2.0
#include "registry/types.h"

#include <array>

#include "base/text.h"

namespace ciclo::registry {

namespace {

constexpr std::array<std::string_view, 4> kStages = {"None", "Staging", "Production", "Archived"};

}  // namespace

std::span<const std::string_view> enum_names(Stage) { return kStages; }

std::string_view name_of(Stage stage) { return kStages[static_cast<std::size_t>(stage)]; }

std::optional<Stage> parse_stage(std::string_view name) {
  const std::string wanted = to_lower_ascii(name);
  for (std::size_t i = 0; i < kStages.size(); ++i) {
    if (to_lower_ascii(kStages[i]) == wanted) return static_cast<Stage>(i);
  }
  return std::nullopt;
}

}  // namespace ciclo::registry
