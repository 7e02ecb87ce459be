// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The texts in the answers of S3. Of XML they need little: elements by name, texts with the five
// entities and numbered characters. Attributes, comments and sections are no part of those answers.

namespace ciclo::blob {

// The texts between <name> and </name>, as they stand, in order; elements are not nested in their
// like.
std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view name);

// The decoded text of the first such element; nothing when there is none.
std::optional<std::string> xml_text(std::string_view xml, std::string_view name);

std::string xml_escape(std::string_view text);

// Milliseconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7) and of
// "1994-11-06T08:49:37.000Z". Fractions are left out.
std::optional<std::int64_t> time_of_header(const std::string& text);
std::optional<std::int64_t> time_of_listing(const std::string& text);

}  // namespace ciclo::blob
