// SPDX-License-Identifier: Apache-2.0
#include "http/wire.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/text.h"

namespace ciclo::http {
namespace {

void append_two_digits(std::string& out, unsigned value) {
  out.push_back(static_cast<char>('0' + value / 10 % 10));
  out.push_back(static_cast<char>('0' + value % 10));
}

bool is_field_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
  });
}

// The server decides how the body is framed and whether the connection stays.
bool belongs_to_server(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames = {
      "transfer-encoding", "connection",    "keep-alive", "date", "server",
      "x-request-id",      "content-length"};
  const std::string lower = to_lower_ascii(name);
  return std::find(kNames.begin(), kNames.end(), lower) != kNames.end();
}

}  // namespace

std::string http_date(std::int64_t ms) {
  constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun",
                                                     "Mon", "Tue", "Wed"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::chrono::sys_seconds time{std::chrono::seconds(std::max<std::int64_t>(ms, 0) / 1000)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::string out(kDays[static_cast<std::size_t>(day.time_since_epoch().count() % 7)]);
  out += ", ";
  append_two_digits(out, static_cast<unsigned>(date.day()));
  out += " ";
  out += kMonths[static_cast<unsigned>(date.month()) - 1];
  out += " " + std::to_string(static_cast<int>(date.year())) + " ";
  append_two_digits(out, static_cast<unsigned>(clock.hours().count()));
  out += ":";
  append_two_digits(out, static_cast<unsigned>(clock.minutes().count()));
  out += ":";
  append_two_digits(out, static_cast<unsigned>(clock.seconds().count()));
  out += " GMT";
  return out;
}

bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string head_text(int status, const Headers& headers, std::int64_t now_ms,
                      std::string_view request_id) {
  std::string head;
  head.reserve(320);
  head.append("HTTP/1.1 ")
      .append(std::to_string(status))
      .append(" ")
      .append(reason(status))
      .append("\r\n");
  append_field(head, "Date", http_date(now_ms));
  append_field(head, "Server", "ciclo");
  if (!request_id.empty()) append_field(head, "X-Request-Id", request_id);
  for (const auto& [name, value] : headers.all()) {
    if (is_field_name(name) && !belongs_to_server(name)) append_field(head, name, value);
  }
  return head;
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  const auto begin = head.size();
  head.append(value);
  std::replace_if(
      head.begin() + static_cast<std::ptrdiff_t>(begin), head.end(),
      [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  head.append("\r\n");
}

void append_chunk(std::string& out, std::string_view bytes) {
  if (bytes.empty()) return;
  std::array<char, 16> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16).ptr;
  out.append(digits.data(), end).append("\r\n").append(bytes).append("\r\n");
}

}  // namespace ciclo::http
