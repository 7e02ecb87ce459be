// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

// Times as texts; format_utc of clock.h writes them.

namespace ciclo {

// ISO 8601 as the field writes it, to ms since 1970-01-01 UTC: "2013-06-01", "2013-06-01 10:00",
// "2013-06-01T10:00:00.5Z", "…+02:00". Without a zone: UTC. Digits beyond milliseconds are cut.
// nullopt for anything else.
std::optional<std::int64_t> parse_utc(std::string_view text);

}  // namespace ciclo
