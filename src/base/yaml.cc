// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"

namespace ciclo::yaml {
namespace {

using json::Mark;
using json::Value;

std::string place(std::string_view file_name, Mark mark) {
  if (mark.line == 0) return file_name.empty() ? std::string() : std::string(file_name) + ": ";
  const std::string line = std::to_string(mark.line);
  const std::string column = std::to_string(mark.column);
  if (file_name.empty()) return "line " + line + ", column " + column + ": ";
  return std::string(file_name) + ":" + line + ":" + column + ": ";
}

Mark to_mark(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
}

bool is_all_of(std::string_view text, std::string_view digits) {
  return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

constexpr std::string_view kDecimal = "0123456789";

std::string_view without_sign(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return text;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  text = without_sign(text);
  const std::size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) {
    if (!is_all_of(without_sign(text.substr(exponent + 1)), kDecimal)) return false;
    text = text.substr(0, exponent);
  }
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return is_all_of(text, kDecimal);
  const std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = text.substr(dot + 1);
  if (whole.empty()) return is_all_of(fraction, kDecimal);
  return is_all_of(whole, kDecimal) && (fraction.empty() || is_all_of(fraction, kDecimal));
}

// from_chars knows neither a leading '+' nor, in every form, a bare dot; it answers out of range
// for what rounds to zero or infinity, where YAML means just that.
double to_double(std::string_view text) {
  std::string plain(text.front() == '+' ? text.substr(1) : text);
  double value = 0;
  const auto [end, problem] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (problem == std::errc()) return value;
  const bool negative = plain.front() == '-';
  const std::size_t exponent = plain.find_first_of("eE");
  const bool small = exponent != std::string::npos && plain.at(exponent + 1) == '-';
  const double magnitude = small ? 0.0 : std::numeric_limits<double>::infinity();
  return negative ? -magnitude : magnitude;
}

std::optional<std::int64_t> to_int(std::string_view digits, int base) {
  std::int64_t value = 0;
  const auto [end, problem] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (problem != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// The core schema's reading of a plain scalar.
Value resolve(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (text == ".nan" || text == ".NaN" || text == ".NAN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const std::string_view bare = without_sign(text);
  if (bare == ".inf" || bare == ".Inf" || bare == ".INF") {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return text.front() == '-' ? -kInfinity : kInfinity;
  }
  if (is_all_of(bare, kDecimal)) {
    const auto value = to_int(text.front() == '+' ? bare : std::string_view(text), 10);
    return value ? Value(*value) : Value(to_double(text));
  }
  if (text.starts_with("0o") && is_all_of(text.substr(2), "01234567")) {
    if (const auto value = to_int(text.substr(2), 8)) return *value;
  }
  if (text.starts_with("0x") && is_all_of(text.substr(2), "0123456789abcdefABCDEF")) {
    if (const auto value = to_int(text.substr(2), 16)) return *value;
  }
  if (is_float(text)) return to_double(text);
  return text;
}

Value text_or_null(const std::string& text) {
  return resolve(text).is_null() ? Value() : Value(text);
}

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

// Builds the value from the parser's events. After the first problem all further events are
// ignored: the parser has no other way to be stopped.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const Limits& limits, Scalars scalars) : limits_(limits), scalars_(scalars) {}

  struct Problem {
    Mark mark;
    std::string message;
  };
  const std::optional<Problem>& problem() const { return problem_; }
  Value take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(Value(), to_mark(mark), anchor, 1, 0);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      return fail(to_mark(mark), "the alias stands inside the value that it names");
    }
    // Before the copy, so that no more is made than may be kept.
    const Anchored& named = found->second;
    if (values_ + named.values > limits_.values_max) return refuse_size(to_mark(mark));
    if (open_.size() + named.depth > limits_.depth_max) return refuse_depth(to_mark(mark));
    add(named.value, to_mark(mark), YAML::NullAnchor, named.values, named.depth);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const bool is_string = tag == "!" || tag == std::string(kTagPrefix) + "str";
    if (!is_string && !is_known(tag)) return refuse_tag(to_mark(mark), tag);
    if (expects_key()) {
      if (!is_string && text == "<<") {
        return fail(to_mark(mark), "merge keys (<<) are not part of YAML 1.2; repeat the values");
      }
      return add_key(text, to_mark(mark));
    }
    const auto read = scalars_ == Scalars::kTexts ? text_or_null : resolve;
    add(is_string ? Value(text) : read(text), to_mark(mark), anchor, 1, 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Value::array(), to_mark(mark), tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Value::object(), to_mark(mark), tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Value value;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::size_t values_before = 0;
    std::size_t depth = 1;             // levels of this value, itself counted
    std::optional<std::string> key;    // of an object: read, its value not yet
    std::map<std::string, Mark> keys;  // of an object: all so far
  };
  struct Anchored {
    Value value;
    std::size_t values = 0;
    std::size_t depth = 0;
  };

  static bool is_known(const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return true;
    if (!tag.starts_with(kTagPrefix)) return false;
    const std::string_view name = std::string_view(tag).substr(kTagPrefix.size());
    return name == "int" || name == "float" || name == "bool" || name == "null" || name == "seq" ||
           name == "map";
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().value.is_object() && !open_.back().key;
  }

  void fail(Mark mark, std::string message) {
    if (!problem_) problem_ = Problem{mark, std::move(message)};
  }
  void refuse_tag(Mark mark, const std::string& tag) {
    fail(mark, "unknown tag " + quoted(tag) + "; write the value without a tag");
  }
  void refuse_depth(Mark mark) {
    fail(mark, "nested deeper than " + std::to_string(limits_.depth_max) + " levels");
  }
  void refuse_size(Mark mark) {
    fail(mark, "more than " + std::to_string(limits_.values_max) + " values, aliases counted");
  }

  void add_key(const std::string& key, Mark mark) {
    if (problem_) return;
    Open& parent = open_.back();
    const auto [first, is_new] = parent.keys.emplace(key, mark);
    if (!is_new) {
      return fail(mark, "key " + quoted(key) + " is given twice, first on line " +
                            std::to_string(first->second.line));
    }
    parent.key = key;
  }

  void add(Value value, Mark mark, YAML::anchor_t anchor, std::size_t values, std::size_t depth) {
    if (problem_) return;
    if (expects_key()) {
      if (value.is_null() && anchor == YAML::NullAnchor) return add_key("", mark);
      return fail(mark, "a key must be a plain text, not an alias or a collection");
    }
    values_ += values;
    if (values_ > limits_.values_max) return refuse_size(mark);
    value.mark = mark;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = {value, values, depth};
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    parent.depth = std::max(parent.depth, depth + 1);
    if (parent.value.is_array()) {
      parent.value.push_back(std::move(value));
    } else {
      CHECK(parent.key.has_value());
      parent.value.members().emplace_back(std::move(*parent.key), std::move(value));
      parent.key.reset();
    }
  }

  void open(Value empty, Mark mark, const std::string& tag, YAML::anchor_t anchor) {
    if (problem_) return;
    if (!is_known(tag)) return refuse_tag(mark, tag);
    if (expects_key()) return fail(mark, "a key must be a plain text, not a collection");
    if (open_.size() >= limits_.depth_max) {
      return refuse_depth(mark);
    }
    empty.mark = mark;
    open_.push_back({.value = std::move(empty), .anchor = anchor, .values_before = values_});
  }

  void close() {
    if (problem_) return;
    Open done = std::move(open_.back());
    open_.pop_back();
    const std::size_t inside = values_ - done.values_before;
    values_ = done.values_before;
    const Mark mark = done.value.mark;
    add(std::move(done.value), mark, done.anchor, inside + 1, done.depth);
  }

  const Limits limits_;
  const Scalars scalars_;
  Value root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t values_ = 0;
  std::optional<Problem> problem_;
};

// Characters that YAML 1.2 forbids (§5.1). The parser takes 0x04 for the end of the text, so what
// follows would be lost without a word.
Result<void> check_characters(std::string_view text, std::string_view file_name) {
  Mark mark{1, 1};
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = utf8_sequence_length(text);
    if (length == 0) return invalid_argument(place(file_name, mark) + "the text is not UTF-8");
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) {
      return invalid_argument(place(file_name, mark) + "control character " + std::to_string(byte) +
                              " is not allowed in YAML");
    }
    ++mark.column;
    if (byte == '\n') mark = {mark.line + 1, 1};
    text.remove_prefix(length);
  }
  return {};
}

}  // namespace

Result<json::Value> parse(std::string_view text, std::string_view file_name, const Limits& limits,
                          Scalars scalars) {
  if (text.size() > limits.bytes_max) {
    return resource_exhausted(place(file_name, {}) + "the YAML text has " +
                              std::to_string(text.size()) + " bytes, more than " +
                              std::to_string(limits.bytes_max));
  }
  TRY(check_characters(text, file_name));
  std::istringstream stream{std::string(text)};
  Builder builder(limits, scalars);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    if (!builder.problem() && parser) {
      Builder second(limits, scalars);
      if (parser.HandleNextDocument(second)) {
        return invalid_argument(place(file_name, {}) +
                                "the text holds several YAML documents, one is expected");
      }
    }
  } catch (const YAML::Exception& failure) {
    if (!builder.problem()) {
      return invalid_argument(place(file_name, to_mark(failure.mark)) +
                              "not valid YAML: " + failure.msg);
    }
  }
  if (const auto& problem = builder.problem()) {
    return invalid_argument(place(file_name, problem->mark) + problem->message);
  }
  return builder.take();
}

Result<json::Value> read_file(const std::filesystem::path& path, const Limits& limits,
                              Scalars scalars) {
  TRY(const std::string text, ciclo::read_file(path, limits.bytes_max));
  return parse(text, path.string(), limits, scalars);
}

}  // namespace ciclo::yaml
