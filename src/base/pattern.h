// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/pattern_syntax.h"
#include "base/result.h"

// Regular expressions for searches, in the language that Python's `re` and PostgreSQL share:
//
//   abc  .  [a-z]  [^a-z]  \d \D \w \W \s \S  \n \t \r \f \v \a  \xhh \uhhhh \Uhhhhhhhh  \. (a
//   sign) (…)  (?:…)  (?P<name>…)  a|b  a*  a+  a?  a{2}  a{2,}  a{,5}  a{2,5}, each also with ?
//   behind ^ \A the start of the text, $ \Z its end, \b \B \y \Y (not) the border of a word
//   (?i) and (?s) at the start: letters without their case; . also takes a newline
//
// Classes, borders and cases are those of ASCII. What cannot be done in one pass is refused: what
// refers back to a group, and what looks ahead or behind.

namespace ciclo {

class Pattern {
 public:
  // invalid_argument names the place of what is wrong or not understood, or says that the pattern
  // is too large: 1,000 instructions, of which a character takes one, also when it is repeated.
  static Result<Pattern> parse(std::string_view text);

  // Whether any part of the text matches, by a simulation of all ways at once (Thompson 1968): in
  // the worst case the length of the text times that of the pattern, whatever they are.
  bool matches(std::string_view text) const;

  // The pattern as PostgreSQL spells it; parses to the same pattern.
  const std::string& text() const { return text_; }

 private:
  friend class PatternCompiler;

  struct Instruction {
    enum class Kind { kCharacter, kPosition, kSplit, kMatch };
    Kind kind = Kind::kMatch;
    pattern::Node::Kind position = pattern::Node::Kind::kStart;  // of kPosition
    pattern::Ranges ranges = {};                                 // of kCharacter
    std::size_t next = 0;
    std::size_t other = 0;  // of kSplit
  };
  class Run;

  std::string text_;
  std::vector<Instruction> program_;
  // Where a match may begin: first bytes of a character; unless it begins with a position, or is
  // empty.
  bool knows_beginnings_ = false;
  std::array<bool, 256> beginnings_{};
};

}  // namespace ciclo
