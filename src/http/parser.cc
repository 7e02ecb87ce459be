// SPDX-License-Identifier: Apache-2.0
#include "http/parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace ciclo::http {
namespace {

constexpr std::size_t kFieldsMax = 200;
constexpr std::size_t kChunkLineMax = 1024;  // size, extensions and line end
constexpr std::size_t kTrailerBytesMax = 8192;
constexpr std::size_t kEmptyLinesMax = 4;  // before the request line (RFC 9112, 2.2)

// tchar of RFC 9110, 5.6.2.
constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  return table;
}
constexpr auto kToken = make_token_table();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

// Field values hold visible characters, blanks, tabs and bytes over 0x7f.
bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool is_target_text(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7f && byte != '#';
  });
}

std::string_view trim_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_word(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && to_lower_ascii(a) == lower;
}

// Whether a comma-separated list holds the word.
bool list_has(std::string_view list, std::string_view lower) {
  const auto parts = split(list, ',');
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return same_word(trim_blanks(part), lower); });
}

std::optional<std::uint64_t> read_decimal(std::string_view text) {
  // 18 digits cannot overflow, and no body is larger.
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::optional<Refusal> read_request_line(std::string_view line, RequestHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return Refusal{400, "malformed request line"};
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 32) return Refusal{400, "malformed method"};
  if (!is_target_text(target)) {
    return Refusal{
        400, "the target must hold visible ASCII characters without '#'; escape others as %XX"};
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.starts_with("HTTP/") && version.size() <= 8) {
      return Refusal{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
    }
    return Refusal{400, "malformed request line"};
  }
  head.method = method;
  head.target = target;
  head.minor_version = version.back() - '0';
  return std::nullopt;
}

std::optional<Refusal> read_field(std::string_view line, Headers& headers) {
  if (line.front() == ' ' || line.front() == '\t') {
    return Refusal{400, "a header field must not be folded over several lines"};
  }
  const auto colon = line.find(':');
  // A blank before the colon is refused with the rest (RFC 9112, 5.1).
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return Refusal{400, "malformed header field name"};
  }
  const auto value = trim_blanks(line.substr(colon + 1));
  if (!is_field_value(value)) return Refusal{400, "control character in a header field"};
  headers.add(std::string(line.substr(0, colon)), std::string(value));
  return std::nullopt;
}

std::optional<Refusal> read_transfer_encoding(std::string_view value, RequestHead& head) {
  if (head.minor_version == 0) {
    return Refusal{400, "Transfer-Encoding is not part of HTTP/1.0"};
  }
  if (head.chunked || !same_word(value, "chunked")) {
    return Refusal{501, "the only transfer coding supported is chunked, once"};
  }
  head.chunked = true;
  return std::nullopt;
}

// Reads what the framing and the connection depend on (RFC 9112, 6.3 and 9.3).
std::optional<Refusal> read_framing(RequestHead& head) {
  std::optional<std::uint64_t> length;
  int hosts = 0;
  head.keep_alive = head.minor_version == 1;
  for (const auto& [name, value] : head.headers.all()) {
    if (same_word(name, "content-length")) {
      const auto number = read_decimal(value);
      if (!number) return Refusal{400, "Content-Length must be one decimal number"};
      if (length && *length != *number) return Refusal{400, "two different Content-Length fields"};
      length = number;
    } else if (same_word(name, "transfer-encoding")) {
      if (auto refusal = read_transfer_encoding(value, head)) return refusal;
    } else if (same_word(name, "connection")) {
      if (list_has(value, "close")) {
        head.keep_alive = false;
      } else if (head.minor_version == 0 && list_has(value, "keep-alive")) {
        head.keep_alive = true;
      }
    } else if (same_word(name, "host")) {
      ++hosts;
      if (value.find_first_of(" \t/@?#,") != std::string::npos)
        return Refusal{400, "malformed Host"};
    } else if (same_word(name, "expect")) {
      if (!same_word(value, "100-continue"))
        return Refusal{417, "the only expectation is 100-continue"};
      head.expect_continue = head.minor_version == 1;
    }
  }
  if (head.chunked && length) {
    return Refusal{400, "Content-Length and Transfer-Encoding exclude each other"};
  }
  if (hosts > 1 || (hosts == 0 && head.minor_version == 1)) {
    return Refusal{400, "a request needs exactly one Host field"};
  }
  head.content_length = length.value_or(0);
  head.expect_continue = head.expect_continue && head.has_body();
  return std::nullopt;
}

// "http://host/path" → "/path" (RFC 9112, 3.2.2).
std::optional<Refusal> to_origin_form(RequestHead& head) {
  if (head.target.front() == '/') return std::nullopt;
  if (head.target == "*") {
    if (head.method == "OPTIONS") return std::nullopt;
    return Refusal{400, "the target * belongs to OPTIONS"};
  }
  if (head.method == "CONNECT") return Refusal{501, "this server is no proxy"};
  const auto scheme = head.target.find("://");
  const std::string name = to_lower_ascii(head.target.substr(0, std::min<std::size_t>(scheme, 8)));
  if (scheme == std::string::npos || (name != "http" && name != "https")) {
    return Refusal{400, "the target must begin with '/'"};
  }
  const auto path = head.target.find_first_of("/?", scheme + 3);
  if (path == scheme + 3) return Refusal{400, "the target names no host"};
  std::string origin = path == std::string::npos ? "/" : head.target.substr(path);
  if (origin.front() == '?') origin.insert(0, "/");
  head.target = std::move(origin);
  return std::nullopt;
}

}  // namespace

HeadParser::Step HeadParser::look(std::string_view buffered) {
  // Line by line, so that what is wrong is seen before the whole head has come.
  while (true) {
    if (line_ == begin_ && line_ < buffered.size() && buffered[line_] != '\r' &&
        !kToken[static_cast<unsigned char>(buffered[line_])]) {
      return refuse(400, "malformed request line");
    }
    const auto newline = buffered.find('\n', line_);
    if (newline == std::string_view::npos) {
      if (buffered.size() > bytes_max_) return refuse(431, "the header is too large");
      return Step::kMore;
    }
    if (newline >= bytes_max_) return refuse(431, "the header is too large");
    if (newline == line_ || buffered[newline - 1] != '\r') {
      return refuse(400, "lines must end with CR LF");
    }
    const bool empty = newline == line_ + 1;
    if (empty && line_ == begin_) {
      begin_ = line_ = newline + 1;
      if (begin_ > 2 * kEmptyLinesMax) return refuse(400, "malformed request line");
      continue;
    }
    line_ = newline + 1;
    if (empty) break;
  }
  end_ = line_;
  return read_head(buffered.substr(begin_, end_ - begin_));
}

HeadParser::Step HeadParser::read_head(std::string_view text) {
  auto end = text.find("\r\n");
  if (auto refusal = read_request_line(text.substr(0, end), head_)) {
    return refuse(refusal->status, refusal->message);
  }
  text.remove_prefix(end + 2);
  while (text != "\r\n") {
    end = text.find("\r\n");
    if (head_.headers.all().size() == kFieldsMax) return refuse(431, "too many header fields");
    if (auto refusal = read_field(text.substr(0, end), head_.headers)) {
      return refuse(refusal->status, refusal->message);
    }
    text.remove_prefix(end + 2);
  }
  auto refusal = read_framing(head_);
  if (!refusal) refusal = to_origin_form(head_);
  if (refusal) return refuse(refusal->status, refusal->message);
  return Step::kDone;
}

HeadParser::Step HeadParser::refuse(int status, std::string message) {
  refusal_ = {status, std::move(message)};
  return Step::kRefused;
}

void HeadParser::reset() {
  begin_ = line_ = end_ = 0;
  head_ = {};
}

void BodyParser::start(const RequestHead& head) {
  trailer_bytes_ = 0;
  left_ = head.content_length;
  state_ = head.chunked ? State::kSize : left_ > 0 ? State::kLength : State::kDone;
}

std::optional<std::uint64_t> BodyParser::remaining() const {
  if (state_ == State::kLength) return left_;
  if (state_ == State::kDone) return 0;
  return std::nullopt;
}

BodyParser::Part BodyParser::next(std::string_view text) {
  if (text.empty()) return {};
  switch (state_) {
    case State::kLength:
    case State::kData: return next_data(text);
    case State::kSize: return next_size(text);
    case State::kDataEnd: return next_data_end(text);
    case State::kTrailer: return next_trailer(text);
    case State::kDone:
    case State::kFailed: break;
  }
  return {};
}

BodyParser::Part BodyParser::next_data(std::string_view text) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, text.size()));
  left_ -= taken;
  if (left_ == 0) state_ = state_ == State::kLength ? State::kDone : State::kDataEnd;
  return {taken, text.substr(0, taken)};
}

// chunk-size [ chunk-ext ] CRLF
BodyParser::Part BodyParser::next_size(std::string_view text) {
  const auto newline = text.substr(0, kChunkLineMax).find('\n');
  std::size_t digits = 0;
  std::uint64_t size = 0;
  for (; digits < text.size(); ++digits) {
    const char c = text[digits];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) break;
    // Fifteen digits cannot overflow, and no chunk is larger.
    if (digits == 15) return fail();
    size = size * 16 + static_cast<std::uint64_t>(digit);
  }
  if (digits == 0) return fail();
  if (digits < text.size() && text[digits] != '\r' && text[digits] != ';') return fail();
  if (newline == std::string_view::npos) return text.size() >= kChunkLineMax ? fail() : Part{};
  const auto line = text.substr(0, newline);
  if (!line.ends_with('\r') || !is_field_value(line.substr(0, line.size() - 1))) return fail();
  left_ = size;
  state_ = size == 0 ? State::kTrailer : State::kData;
  return {newline + 1, {}};
}

BodyParser::Part BodyParser::next_data_end(std::string_view text) {
  if (text.front() != '\r') return fail();
  if (text.size() < 2) return {};
  if (text[1] != '\n') return fail();
  state_ = State::kSize;
  return {2, {}};
}

// Trailer fields are checked for their form and dropped: nothing here may depend on them.
BodyParser::Part BodyParser::next_trailer(std::string_view text) {
  const auto newline = text.find('\n');
  if (newline == std::string_view::npos) {
    return trailer_bytes_ + text.size() > kTrailerBytesMax ? fail() : Part{};
  }
  trailer_bytes_ += newline + 1;
  const auto line = text.substr(0, newline);
  if (trailer_bytes_ > kTrailerBytesMax || !line.ends_with('\r')) return fail();
  if (line.size() == 1) {
    state_ = State::kDone;
  } else {
    Headers ignored;
    if (read_field(line.substr(0, line.size() - 1), ignored)) return fail();
  }
  return {newline + 1, {}};
}

BodyParser::Part BodyParser::fail() {
  state_ = State::kFailed;
  return {};
}

std::optional<Refusal> fill_target(std::string_view target, Request& request) {
  const auto raw_path = target.substr(0, target.find('?'));
  if (raw_path.size() < target.size()) request.query_text = target.substr(raw_path.size() + 1);
  auto path = percent_decode(raw_path, Plus::kKeep);
  if (!path) return Refusal{400, "the path holds a broken escape or a NUL"};
  for (const auto segment : split(*path, '/')) {
    // Clients resolve these before they send; what still holds one tries to climb out of a folder.
    if (segment == "." || segment == "..")
      return Refusal{400, "the path must not hold '.' or '..' segments"};
  }
  request.path = std::move(*path);
  auto query = parse_query(request.query_text);
  if (!query) return Refusal{400, "the query holds a broken escape or a NUL"};
  request.query = std::move(*query);
  return std::nullopt;
}

}  // namespace ciclo::http
