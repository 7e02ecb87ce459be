// SPDX-License-Identifier: Apache-2.0
#include "http/message.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace ciclo::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view first_value(const std::multimap<std::string, std::string, std::less<>>& values,
                             std::string_view name) {
  // lower_bound, not find: of equal keys the first one counts.
  const auto found = values.lower_bound(name);
  return found == values.end() || found->first != name ? std::string_view() : found->second;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string_view first_line(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && text[end] != '\r' && text[end] != '\n') ++end;
  return text.substr(0, end);
}

}  // namespace

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (same_name(key, name)) return value;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& field) { return same_name(field.first, name); });
}

void Headers::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
  fields_.emplace_back(std::string(name), std::move(value));
}

std::string_view Request::query_value(std::string_view name) const {
  return first_value(query, name);
}

std::string_view Request::path_value(std::string_view name) const {
  const auto found = path_parameters.find(name);
  return found == path_parameters.end() ? std::string_view() : found->second;
}

Response Response::json(std::string text, int status) {
  return {status, {{"Content-Type", "application/json"}}, std::move(text)};
}

Response Response::text(std::string text, int status) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text)};
}

Response Response::empty(int status) { return {status, {}, {}}; }

Reply::Reply(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}

Reply::Reply(Reply&&) noexcept = default;

Reply& Reply::operator=(Reply&& other) noexcept {
  std::swap(sink_, other.sink_);
  return *this;
}

Reply::~Reply() {
  if (sink_) sink_->drop();
}

void Reply::send(Response response) {
  CHECK(sink_ != nullptr);
  std::exchange(sink_, nullptr)->send(std::move(response));
}

std::unique_ptr<Stream> Reply::stream(int status, Headers headers) {
  CHECK(sink_ != nullptr);
  return std::exchange(sink_, nullptr)->stream(status, std::move(headers));
}

void Reply::send_file(int status, Headers headers, const std::string& path, std::uint64_t offset,
                      std::uint64_t length) {
  CHECK(sink_ != nullptr);
  std::exchange(sink_, nullptr)->send_file(status, std::move(headers), path, offset, length);
}

void Reply::Sink::drop() {
  send(Response::json(R"({"error":"the request was not answered"})", 500));
}

std::string event_text(std::string_view kind, std::string_view id, std::string_view data) {
  std::string out;
  const auto line = [&out](std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\n");
  };
  // A line break would end the field; kinds and ids hold none.
  if (!kind.empty()) line("event", first_line(kind));
  if (!id.empty()) line("id", first_line(id));
  std::size_t begin = 0;
  while (begin <= data.size()) {
    const std::string_view text = first_line(data.substr(begin));
    line("data", text);
    begin += text.size();
    // Browsers end a line at CRLF, CR and LF alike.
    begin += data.substr(begin).starts_with("\r\n") ? 2 : 1;
  }
  out += "\n";
  return out;
}

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus == Plus::kSpace) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    out.push_back(c);
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::optional<std::multimap<std::string, std::string, std::less<>>> parse_query(
    std::string_view text) {
  std::multimap<std::string, std::string, std::less<>> out;
  for (const std::string_view pair : split(text, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const bool has_value = equals != std::string_view::npos;
    auto name = percent_decode(pair.substr(0, equals), Plus::kSpace);
    auto value = percent_decode(has_value ? pair.substr(equals + 1) : "", Plus::kSpace);
    if (!name || !value) return std::nullopt;
    out.emplace(std::move(*name), std::move(*value));
  }
  return out;
}

std::string_view reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 424: return "Failed Dependency";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

}  // namespace ciclo::http
