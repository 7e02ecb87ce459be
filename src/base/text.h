// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Small functions on text that several modules need.

namespace ciclo {

// The length (1 to 4) of the valid UTF-8 sequence (RFC 3629) at the start, 0 when there is none.
std::size_t utf8_sequence_length(std::string_view text);
bool is_utf8(std::string_view text);

// The parts between separators; one empty part for an empty text.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string to_lower_ascii(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// The whole text as a number; nullopt when anything is left over or out of range.
std::optional<std::int64_t> parse_int(std::string_view text);
std::optional<double> parse_double(std::string_view text);

// A quoted text for messages, shortened to 80 characters: "abc…".
std::string quoted(std::string_view text);
// Without these, a call with a string would mean std::quoted wherever <iomanip> is included.
inline std::string quoted(const std::string& text) { return quoted(std::string_view(text)); }
inline std::string quoted(std::string& text) { return quoted(std::string_view(text)); }
inline std::string quoted(const char* text) { return quoted(std::string_view(text)); }

// The candidate nearest to `word` by edit distance, for "did you mean …"; empty when none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace ciclo
