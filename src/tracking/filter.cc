// SPDX-License-Identifier: Apache-2.0
#include "tracking/filter.h"

#include <array>
#include <optional>
#include <utility>

#include "base/text.h"

namespace ciclo::tracking {

namespace {

constexpr std::size_t kTextBytesMax = 64 << 10;
constexpr std::size_t kComparisonsMax = 100;
constexpr std::size_t kListMax = 10'000;

constexpr std::array<std::pair<Comparator, std::string_view>, 13> kComparators = {{
    {Comparator::kEqual, "="},
    {Comparator::kNotEqual, "!="},
    {Comparator::kLess, "<"},
    {Comparator::kLessEqual, "<="},
    {Comparator::kGreater, ">"},
    {Comparator::kGreaterEqual, ">="},
    {Comparator::kLike, "LIKE"},
    {Comparator::kILike, "ILIKE"},
    {Comparator::kRLike, "RLIKE"},
    {Comparator::kIn, "IN"},
    {Comparator::kNotIn, "NOT IN"},
    {Comparator::kIsNull, "IS NULL"},
    {Comparator::kIsNotNull, "IS NOT NULL"},
}};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Comparison>> filter() {
    std::vector<Comparison> comparisons;
    skip_space();
    if (at_end()) return comparisons;
    while (true) {
      if (comparisons.size() == kComparisonsMax) {
        return error("has more than " + std::to_string(kComparisonsMax) + " comparisons");
      }
      TRY(auto next, comparison());
      comparisons.push_back(std::move(next));
      if (at_end()) return comparisons;
      if (!keyword("AND")) return error("expected AND or the end; only AND joins comparisons");
    }
  }

  Result<OrderTerm> order_term() {
    skip_space();
    OrderTerm term;
    TRY(term.identifier, identifier());
    if (keyword("DESC")) {
      term.is_ascending = false;
    } else if (!keyword("ASC") && !at_end()) {
      return error("expected ASC, DESC or the end");
    }
    if (!at_end()) return error("expected the end");
    return term;
  }

 private:
  Result<Comparison> comparison() {
    Comparison out;
    TRY(out.identifier, identifier());
    TRY(out.comparator, comparator());
    if (out.comparator == Comparator::kIsNull || out.comparator == Comparator::kIsNotNull)
      return out;
    if (out.comparator == Comparator::kIn || out.comparator == Comparator::kNotIn) {
      TRY(out.value, list());
      return out;
    }
    if (peek() == '\'' || peek() == '"') {
      TRY(out.value, quoted_text(peek()));
      return out;
    }
    TRY(out.value, number());
    return out;
  }

  Result<Identifier> identifier() {
    Identifier out;
    const bool is_quoted = peek() == '`' || peek() == '"';
    if (is_quoted) {
      TRY(out.key, quoted_text(peek()));
    } else {
      out.key = std::string(bare([](char c) { return is_word(c); }));
      if (out.key.empty()) return error("expected a name such as metrics.loss");
    }
    if (peek_raw() != '.') {
      skip_space();
      return out;
    }
    ++at_;
    out.entity = std::move(out.key);
    if (peek_raw() == '`' || peek_raw() == '"' || peek_raw() == '\'') {
      TRY(out.key, quoted_text(peek_raw()));
      return out;
    }
    out.key = std::string(bare([](char c) { return is_word(c) || c == '.'; }));
    if (out.key.empty()) return error("expected a key after " + out.entity + ".");
    skip_space();
    return out;
  }

  Result<Comparator> comparator() {
    // The longer ones first.
    for (const Comparator candidate :
         {Comparator::kNotEqual, Comparator::kLessEqual, Comparator::kGreaterEqual,
          Comparator::kEqual, Comparator::kLess, Comparator::kGreater}) {
      const std::string_view text = text_of(candidate);
      if (!text_.substr(at_).starts_with(text)) continue;
      at_ += text.size();
      skip_space();
      return candidate;
    }
    if (keyword("LIKE")) return Comparator::kLike;
    if (keyword("ILIKE")) return Comparator::kILike;
    if (keyword("RLIKE")) return Comparator::kRLike;
    if (keyword("IN")) return Comparator::kIn;
    if (keyword("NOT")) {
      if (keyword("IN")) return Comparator::kNotIn;
      return error("expected IN after NOT");
    }
    if (keyword("IS")) {
      const bool is_not = keyword("NOT");
      if (keyword("NULL")) return is_not ? Comparator::kIsNotNull : Comparator::kIsNull;
      return error("expected NULL or NOT NULL after IS");
    }
    return error(
        "expected one of = != < <= > >= LIKE ILIKE RLIKE IN, NOT IN, IS NULL, IS NOT NULL");
  }

  Result<std::vector<std::string>> list() {
    std::vector<std::string> out;
    if (!punctuation('(')) return error("expected a list of quoted texts in parentheses");
    while (true) {
      if (peek() != '\'' && peek() != '"') return error("expected a quoted text in the list");
      if (out.size() == kListMax) {
        return error("has a list of more than " + std::to_string(kListMax) + " texts");
      }
      TRY(auto item, quoted_text(peek()));
      out.push_back(std::move(item));
      const bool comma = punctuation(',');
      if (punctuation(')')) return out;
      if (!comma) return error("expected a comma or a closing parenthesis");
    }
  }

  Result<std::string> quoted_text(char quote) {
    const std::size_t start = at_++;
    std::string out;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != quote) {
        out.push_back(c);
        continue;
      }
      if (at_ < text_.size() && text_[at_] == quote) {
        out.push_back(quote);
        ++at_;
        continue;
      }
      skip_space();
      return out;
    }
    at_ = start;
    return error("has a quote that is not closed");
  }

  Result<Number> number() {
    const std::size_t start = at_;
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.' || is_sign(start)))
      ++at_;
    const std::string_view text = text_.substr(start, at_ - start);
    Number out;
    const auto value = text.empty() || !is_number_start(text) ? std::nullopt : parse_double(text);
    if (!value) {
      at_ = start;
      return error("expected a number or a quoted text");
    }
    out.value = *value;
    if (const auto integer = parse_int(text)) {
      out.integer = *integer;
      out.is_integer = true;
    }
    skip_space();
    return out;
  }

  // A sign at the start, or after the e of an exponent.
  bool is_sign(std::size_t start) const {
    const char c = text_[at_];
    if (c != '-' && c != '+') return false;
    return at_ == start || text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E';
  }

  // Not "inf" or "nan", which are no numbers of the language.
  static bool is_number_start(std::string_view text) {
    if (text.front() == '-' || text.front() == '+') text.remove_prefix(1);
    return !text.empty() && (is_digit(text.front()) || text.front() == '.');
  }

  bool keyword(std::string_view word) {
    if (text_.size() - at_ < word.size()) return false;
    const std::size_t end = at_ + word.size();
    if (end < text_.size() && is_word(text_[end])) return false;
    if (to_lower_ascii(text_.substr(at_, word.size())) != to_lower_ascii(word)) return false;
    at_ = end;
    skip_space();
    return true;
  }

  bool punctuation(char c) {
    if (peek() != c) return false;
    ++at_;
    skip_space();
    return true;
  }

  template <class Accept>
  std::string_view bare(Accept accept) {
    const std::size_t start = at_;
    while (at_ < text_.size() && accept(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  char peek_raw() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char peek() {
    skip_space();
    return peek_raw();
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  Error error(std::string_view what) const {
    return invalid_argument(quoted(text_) + ", at character " + std::to_string(at_ + 1) + ": " +
                            std::string(what));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Error too_long() {
  return invalid_argument("is longer than " + std::to_string(kTextBytesMax) + " bytes");
}

}  // namespace

std::string_view text_of(Comparator comparator) {
  return kComparators[static_cast<std::size_t>(comparator)].second;
}

Result<std::vector<Comparison>> parse_filter(std::string_view text) {
  if (text.size() > kTextBytesMax) return too_long().with_context("invalid filter");
  auto parsed = Parser(text).filter();
  if (!parsed.ok()) return parsed.error().with_context("invalid filter");
  return parsed;
}

Result<OrderTerm> parse_order_term(std::string_view text) {
  if (text.size() > kTextBytesMax) return too_long().with_context("invalid order_by");
  auto parsed = Parser(text).order_term();
  if (!parsed.ok()) return parsed.error().with_context("invalid order_by");
  return parsed;
}

}  // namespace ciclo::tracking
