// SPDX-License-Identifier: Apache-2.0
#include "blob/s3_text.h"

#include <array>
#include <cstdint>
#include <ctime>
#include <utility>

#include "base/text.h"

namespace ciclo::blob {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
    {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};

// RFC 3629.
std::string utf8_of(std::uint32_t code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | (code >> 6)), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | (code >> 12)), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | (code >> 18)), tail(12), tail(6), tail(0)};
}

// "#38" or "#x26".
std::optional<std::string> numbered(std::string_view entity) {
  if (!entity.starts_with('#')) return std::nullopt;
  entity.remove_prefix(1);
  const bool is_hex = entity.starts_with('x');
  if (is_hex) entity.remove_prefix(1);
  std::uint32_t code = 0;
  for (const char c : entity) {
    const std::string_view digits = "0123456789abcdef";
    const auto digit = digits.find(to_lower_ascii({&c, 1}));
    if (digit == std::string_view::npos || (!is_hex && digit > 9)) return std::nullopt;
    code = code * (is_hex ? 16 : 10) + static_cast<std::uint32_t>(digit);
    if (code > 0x10FFFF) return std::nullopt;
  }
  return entity.empty() ? std::nullopt : std::optional(utf8_of(code));
}

std::string decode(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.front() == '&' ? text.find(';') : std::string_view::npos;
    if (end != std::string_view::npos) {
      const std::string_view entity = text.substr(1, end - 1);
      std::optional<std::string> meant = numbered(entity);
      for (const auto& [name, character] : kEntities) {
        if (entity == name) meant = std::string(1, character);
      }
      if (meant) {
        out += *meant;
        text.remove_prefix(end + 1);
        continue;
      }
    }
    out += text.front();
    text.remove_prefix(1);
  }
  return out;
}

std::optional<std::int64_t> parse_time(const std::string& text, const char* format) {
  std::tm parts{};
  if (::strptime(text.c_str(), format, &parts) == nullptr) return std::nullopt;
  return std::int64_t{::timegm(&parts)} * 1000;
}

}  // namespace

std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view name) {
  const std::string open = "<" + std::string(name) + ">";
  const std::string close = "</" + std::string(name) + ">";
  std::vector<std::string_view> found;
  for (std::size_t at = xml.find(open); at != std::string_view::npos; at = xml.find(open, at)) {
    at += open.size();
    const std::size_t end = xml.find(close, at);
    if (end == std::string_view::npos) break;
    found.push_back(xml.substr(at, end - at));
    at = end + close.size();
  }
  return found;
}

std::optional<std::string> xml_text(std::string_view xml, std::string_view name) {
  const auto found = xml_elements(xml, name);
  if (found.empty()) return std::nullopt;
  return decode(found.front());
}

std::string xml_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    bool is_special = false;
    for (const auto& [name, character] : kEntities) {
      if (c != character) continue;
      out += "&" + std::string(name) + ";";
      is_special = true;
    }
    if (!is_special) out += c;
  }
  return out;
}

std::optional<std::int64_t> time_of_header(const std::string& text) {
  return parse_time(text, "%a, %d %b %Y %H:%M:%S GMT");
}

std::optional<std::int64_t> time_of_listing(const std::string& text) {
  return parse_time(text, "%Y-%m-%dT%H:%M:%S");
}

}  // namespace ciclo::blob
