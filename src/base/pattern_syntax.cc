// SPDX-License-Identifier: Apache-2.0
#include "base/pattern_syntax.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace ciclo::pattern {

namespace {

using Kind = Node::Kind;

constexpr int kDepthMax = 50;
constexpr int kRepeatsMax = 255;  // PostgreSQL's

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// In order and apart.
Ranges tidied(Ranges ranges) {
  std::ranges::sort(ranges);
  Ranges out;
  for (const auto& [first, last] : ranges) {
    if (!out.empty() && first <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, last);
    } else {
      out.emplace_back(first, last);
    }
  }
  return out;
}

// All others; there is no character 0 in a text.
Ranges complement(const Ranges& ranges) {
  Ranges out;
  std::uint32_t next = 1;
  for (const auto& [first, last] : ranges) {
    if (first > next) out.emplace_back(next, first - 1);
    next = last + 1;
  }
  if (next <= kCodePointMax) out.emplace_back(next, kCodePointMax);
  return out;
}

Ranges with_other_case(Ranges ranges) {
  const std::size_t count = ranges.size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto [first, last] = ranges[i];
    for (std::uint32_t c = std::max<std::uint32_t>(first, 'A'); c <= last && c <= 'z'; ++c) {
      if (is_letter(static_cast<char>(c))) ranges.emplace_back(c ^ 0x20, c ^ 0x20);
    }
  }
  return tidied(std::move(ranges));
}

const Ranges kDigits = {{'0', '9'}};
const Ranges kWords = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges kSpaces = {{'\t', '\r'}, {' ', ' '}};

// What \d, \W, … stand for; nullopt for other letters.
std::optional<Ranges> class_of(char letter) {
  switch (letter) {
    case 'd': return kDigits;
    case 'D': return complement(kDigits);
    case 'w': return kWords;
    case 'W': return complement(kWords);
    case 's': return kSpaces;
    case 'S': return complement(kSpaces);
    default: return std::nullopt;
  }
}

Node node_of(Kind kind) { return {.kind = kind}; }
Node character(Ranges ranges) { return {.kind = Kind::kCharacter, .ranges = std::move(ranges)}; }

bool is_position(const Node& node) {
  return node.kind >= Kind::kStart && node.kind <= Kind::kNotBoundary;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> parse() {
    if (text_.find('\0') != std::string_view::npos) return error("has a NUL character");
    TRY(flags());
    TRY(auto out, choice(0));
    if (at_ < text_.size()) return error("has a ) without its (");
    return out;
  }

 private:
  // "(?i)" and "(?s)" at the start.
  Result<void> flags() {
    while (rest().starts_with("(?") && rest().size() > 2 && is_letter(rest()[2]) &&
           rest()[2] != 'P') {
      for (at_ += 2; at_ < text_.size() && text_[at_] != ')'; ++at_) {
        if (text_[at_] == 'i') {
          ignores_case_ = true;
        } else if (text_[at_] == 's') {
          dot_takes_newline_ = true;
        } else {
          return error("has a flag that is not understood: i and s are, at the start");
        }
      }
      if (at_ == text_.size()) return error("has a ( without its )");
      ++at_;
    }
    return {};
  }

  Result<Node> choice(int depth) {
    if (depth > kDepthMax) {
      return error("nests more than " + std::to_string(kDepthMax) + " groups");
    }
    Node out = node_of(Kind::kChoice);
    while (true) {
      TRY(auto part, sequence(depth));
      out.parts.push_back(std::move(part));
      if (peek() != '|') break;
      ++at_;
    }
    return out.parts.size() == 1 ? Node(std::move(out.parts.front())) : std::move(out);
  }

  Result<Node> sequence(int depth) {
    Node out = node_of(Kind::kSequence);
    while (at_ < text_.size() && peek() != '|' && peek() != ')') {
      TRY(auto part, atom(depth));
      TRY(part, quantified(std::move(part)));
      if (part.kind != Kind::kEmpty) out.parts.push_back(std::move(part));
    }
    if (out.parts.empty()) return node_of(Kind::kEmpty);
    return out.parts.size() == 1 ? Node(std::move(out.parts.front())) : std::move(out);
  }

  Result<Node> atom(int depth) {
    const char c = peek();
    switch (c) {
      case '(': return group(depth);
      case '[': return bracket();
      case '\\': return escaped();
      case '*':
      case '+':
      case '?': return error("has nothing to repeat");
      case '^': ++at_; return node_of(Kind::kStart);
      case '$': ++at_; return node_of(Kind::kEnd);
      case '.':
        ++at_;
        return character(dot_takes_newline_ ? complement({}) : complement({{'\n', '\n'}}));
      default: break;
    }
    if (c == '{' && repeats()) return error("has nothing to repeat");
    return one(next());
  }

  Node one(std::uint32_t code_point) const {
    Ranges ranges = {{code_point, code_point}};
    return character(ignores_case_ ? with_other_case(std::move(ranges)) : std::move(ranges));
  }

  Result<Node> group(int depth) {
    const std::size_t start = at_++;
    if (rest().starts_with("?:")) {
      at_ += 2;
    } else if (rest().starts_with("?P<") && rest().find('>') != std::string_view::npos) {
      at_ += rest().find('>') + 1;
    } else if (peek() == '?') {
      at_ = start;
      return error("has a group that is not understood: (…), (?:…) and (?P<name>…) are");
    }
    TRY(auto out, choice(depth + 1));
    if (peek() != ')') {
      at_ = start;
      return error("has a ( without its )");
    }
    ++at_;
    return out;
  }

  Result<Node> escaped() {
    const std::size_t start = at_++;
    if (at_ == text_.size()) {
      at_ = start;
      return error("ends in a backslash");
    }
    const char c = text_[at_];
    switch (c) {
      case 'b':
      case 'y': ++at_; return node_of(Kind::kBoundary);
      case 'B':
      case 'Y': ++at_; return node_of(Kind::kNotBoundary);
      case 'A': ++at_; return node_of(Kind::kStart);
      case 'Z': ++at_; return node_of(Kind::kEnd);
      default: break;
    }
    if (const auto ranges = class_of(c)) {
      ++at_;
      return character(*ranges);
    }
    TRY(const std::uint32_t code_point, escaped_character());
    return one(code_point);
  }

  // Behind the backslash.
  Result<std::uint32_t> escaped_character() {
    const std::size_t start = at_ - 1;
    const char c = text_[at_];
    switch (c) {
      case 'n': ++at_; return '\n';
      case 't': ++at_; return '\t';
      case 'r': ++at_; return '\r';
      case 'f': ++at_; return '\f';
      case 'v': ++at_; return '\v';
      case 'a': ++at_; return '\a';
      case 'x': return by_number(2);
      case 'u': return by_number(4);
      case 'U': return by_number(8);
      default: break;
    }
    if (!is_digit(c) && !is_letter(c)) return next();
    at_ = start;
    return is_digit(c) ? error("refers back to a group: that is not understood")
                       : error("has an escape that is not understood");
  }

  Result<std::uint32_t> by_number(std::size_t digits) {
    const std::string_view hex = text_.substr(at_ + 1, digits);
    std::uint32_t value = 0;
    const bool is_hex = hex.size() == digits &&
                        hex.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    for (const char c : is_hex ? hex : std::string_view()) {
      const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
      value = value > kCodePointMax ? value : value * 16 + static_cast<std::uint32_t>(digit);
    }
    if (!is_hex || value == 0 || value > kCodePointMax || (value >= 0xD800 && value < 0xE000)) {
      return error("has an escape that names no character");
    }
    at_ += 1 + digits;
    return value;
  }

  Result<Node> bracket() {
    const std::size_t start = at_++;
    const bool is_negated = peek() == '^';
    if (is_negated) ++at_;
    Ranges ranges;
    // A ] that comes first stands for itself.
    for (bool is_first = true; is_first || peek() != ']'; is_first = false) {
      if (at_ == text_.size()) {
        at_ = start;
        return error("has a [ without its ]");
      }
      TRY(const auto more, bracket_item());
      ranges.insert(ranges.end(), more.begin(), more.end());
    }
    ++at_;
    ranges = tidied(std::move(ranges));
    if (ignores_case_) ranges = with_other_case(std::move(ranges));
    if (is_negated) ranges = complement(ranges);
    if (!ranges.empty()) return character(std::move(ranges));
    at_ = start;
    return error("has a set that no character is in");
  }

  // A character, a range, or a class.
  Result<Ranges> bracket_item() {
    if (peek() == '\\' && at_ + 1 < text_.size()) {
      if (const auto ranges = class_of(text_[at_ + 1])) {
        at_ += 2;
        return *ranges;
      }
    }
    const std::size_t start = at_;
    TRY(const std::uint32_t first, bracket_character());
    if (peek() != '-' || at_ + 1 >= text_.size() || text_[at_ + 1] == ']') {
      return Ranges{{first, first}};
    }
    ++at_;
    TRY(const std::uint32_t last, bracket_character());
    if (first <= last) return Ranges{{first, last}};
    at_ = start;
    return error("has a range whose end comes before its start");
  }

  Result<std::uint32_t> bracket_character() {
    if (peek() != '\\') return next();
    ++at_;
    if (at_ == text_.size()) return error("ends in a backslash");
    if (text_[at_] == 'b') {
      ++at_;
      return '\b';
    }
    return escaped_character();
  }

  struct Repeats {
    int min = 0;
    int max = Node::kUnbounded;
    std::size_t length = 1;
  };

  // The quantifier at this place; nullopt where there is none: a { that begins none is a character.
  std::optional<Repeats> repeats() const {
    switch (peek()) {
      case '*': return Repeats{};
      case '+': return Repeats{.min = 1};
      case '?': return Repeats{.max = 1};
      case '{': break;
      default: return std::nullopt;
    }
    const std::size_t end = rest().find('}');
    if (end == std::string_view::npos || end == 1) return std::nullopt;
    const std::string_view inside = rest().substr(1, end - 1);
    const std::size_t comma = inside.find(',');
    const std::string_view low = inside.substr(0, comma);
    const std::string_view high = comma == std::string_view::npos ? low : inside.substr(comma + 1);
    for (const auto digits : {low, high}) {
      if (!std::ranges::all_of(digits, is_digit)) return std::nullopt;
    }
    constexpr std::int64_t kTooMany = kRepeatsMax + 1;
    const auto number = [&](std::string_view digits) {
      return static_cast<int>(std::min(parse_int(digits).value_or(kTooMany), kTooMany));
    };
    Repeats out{.length = end + 1};
    if (!low.empty()) out.min = number(low);
    if (!high.empty()) out.max = number(high);
    return out;
  }

  Result<Node> quantified(Node part) {
    const auto found = repeats();
    if (!found) return part;
    if (is_position(part)) return error("has nothing to repeat");
    if (found->min > kRepeatsMax || found->max > kRepeatsMax) {
      return error("repeats more than " + std::to_string(kRepeatsMax) + " times");
    }
    if (found->max != Node::kUnbounded && found->max < found->min) {
      return error("repeats at most fewer times than at least");
    }
    at_ += found->length;
    if (peek() == '?') ++at_;  // which of the matches does not matter
    if (peek() == '+') return error("has a quantifier that is not understood");
    if (repeats()) return error("has two quantifiers in a row");
    if (part.kind == Kind::kEmpty || found->max == 0) return node_of(Kind::kEmpty);
    Node out{.kind = Kind::kRepeat, .min = found->min, .max = found->max};
    out.parts.push_back(std::move(part));
    return out;
  }

  std::uint32_t next() {
    const auto [code_point, length] = first_of(rest());
    at_ += length;
    return code_point;
  }
  std::string_view rest() const { return text_.substr(at_); }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  Error error(std::string_view what) const {
    return invalid_argument("the pattern " + quoted(text_) + ", at byte " +
                            std::to_string(at_ + 1) + ": " + std::string(what));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool ignores_case_ = false;
  bool dot_takes_newline_ = false;
};

void append_utf8(std::uint32_t code_point, std::string& out) {
  const auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code_point < 0x80) return byte(code_point);
  if (code_point < 0x800) {
    byte(0xC0 | code_point >> 6);
  } else {
    if (code_point < 0x10000) {
      byte(0xE0 | code_point >> 12);
    } else {
      byte(0xF0 | code_point >> 18);
      byte(0x80 | (code_point >> 12 & 0x3F));
    }
    byte(0x80 | (code_point >> 6 & 0x3F));
  }
  byte(0x80 | (code_point & 0x3F));
}

void append_character(std::uint32_t code_point, std::string& out) {
  const bool is_sign = code_point > ' ' && code_point < 0x7F && code_point != '_' &&
                       !is_digit(static_cast<char>(code_point)) &&
                       !is_letter(static_cast<char>(code_point));
  if (is_sign) out += '\\';
  append_utf8(code_point, out);
}

// The code points between surrogates cannot be written; they are in no text either.
constexpr std::uint32_t kSurrogateFirst = 0xD800;
constexpr std::uint32_t kSurrogateLast = 0xDFFF;

Ranges writable(const Ranges& ranges) {
  Ranges out;
  for (auto [first, last] : ranges) {
    if (first >= kSurrogateFirst && first <= kSurrogateLast) first = kSurrogateLast + 1;
    if (last >= kSurrogateFirst && last <= kSurrogateLast) last = kSurrogateFirst - 1;
    if (first <= last) out.emplace_back(first, last);
  }
  return out;
}

void append_range(std::uint32_t first, std::uint32_t last, std::string& out) {
  append_character(first, out);
  if (first == last) return;
  out += '-';
  append_character(last, out);
}

void append_set(const Ranges& ranges, std::string& out) {
  const Ranges others = writable(complement(ranges));
  if (ranges.size() == 1 && ranges.front().first == ranges.front().second) {
    return append_character(ranges.front().first, out);
  }
  const bool is_negated = ranges.back().second == kCodePointMax && !others.empty();
  out += is_negated ? "[^" : "[";
  const Ranges all = {{1, kCodePointMax}};
  for (const auto& [first, last] : is_negated ? others : others.empty() ? all : writable(ranges)) {
    append_range(first, last, out);
  }
  out += ']';
}

void append(const Node& node, std::string& out);

void append_repeat(const Node& node, std::string& out) {
  const Node& part = node.parts.front();
  // A choice has its own parentheses.
  const bool is_whole = part.kind == Kind::kCharacter || part.kind == Kind::kChoice;
  if (!is_whole) out += "(?:";
  append(part, out);
  if (!is_whole) out += ')';
  if (node.max == Node::kUnbounded && node.min < 2) {
    out += node.min == 0 ? '*' : '+';
  } else if (node.min == 0 && node.max == 1) {
    out += '?';
  } else {
    out += '{' + std::to_string(node.min);
    if (node.max == Node::kUnbounded) {
      out += ',';
    } else if (node.max != node.min) {
      out += ',' + std::to_string(node.max);
    }
    out += '}';
  }
}

void append_choice(const Node& node, std::string& out) {
  for (std::size_t i = 0; i < node.parts.size(); ++i) {
    if (i > 0) out += '|';
    append(node.parts[i], out);
  }
}

void append(const Node& node, std::string& out) {
  switch (node.kind) {
    case Kind::kEmpty: out += "(?:)"; return;
    case Kind::kCharacter: return append_set(node.ranges, out);
    case Kind::kStart: out += '^'; return;
    case Kind::kEnd: out += '$'; return;
    case Kind::kBoundary: out += "\\y"; return;
    case Kind::kNotBoundary: out += "\\Y"; return;
    case Kind::kSequence:
      for (const auto& part : node.parts) append(part, out);
      return;
    case Kind::kChoice:
      out += "(?:";
      append_choice(node, out);
      out += ')';
      return;
    case Kind::kRepeat: return append_repeat(node, out);
  }
}

}  // namespace

Result<Node> parse(std::string_view text) { return Parser(text).parse(); }

std::string text_of(const Node& node) {
  std::string out;
  if (node.kind == Kind::kChoice) {
    append_choice(node, out);
  } else {
    append(node, out);
  }
  return out;
}

std::pair<std::uint32_t, std::size_t> first_of(std::string_view text) {
  const std::size_t length = utf8_sequence_length(text);
  const auto at = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  switch (length) {
    case 1: return {at(0), 1};
    case 2: return {(at(0) & 0x1F) << 6 | (at(1) & 0x3F), 2};
    case 3: return {(at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F), 3};
    case 4:
      return {(at(0) & 0x07) << 18 | (at(1) & 0x3F) << 12 | (at(2) & 0x3F) << 6 | (at(3) & 0x3F),
              4};
    default: return {0xFFFD, 1};
  }
}

bool is_in(const Ranges& ranges, std::uint32_t code_point) {
  const auto after = std::ranges::upper_bound(ranges, code_point, {},
                                              [](const auto& range) { return range.first; });
  return after != ranges.begin() && code_point <= std::prev(after)->second;
}

}  // namespace ciclo::pattern
