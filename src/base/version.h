// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace ciclo {

// The version of this program, as CMakeLists.txt and CHANGELOG.md have it.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace ciclo
