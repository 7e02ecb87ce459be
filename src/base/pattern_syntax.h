// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// Regular expressions as a syntax tree; pattern.h says which are understood, and runs them.

namespace ciclo::pattern {

// Code points, as ranges with both ends, in order and apart from each other.
using Ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

inline constexpr std::uint32_t kCodePointMax = 0x10'FFFF;

struct Node {
  enum class Kind {
    kEmpty,        // matches between any two characters
    kCharacter,    // one of the ranges
    kStart,        // before the first character
    kEnd,          // behind the last one
    kBoundary,     // between a letter, digit or _ of ASCII and something else
    kNotBoundary,  //
    kSequence,     // all parts, one behind the other
    kChoice,       // one of the parts
    kRepeat,       // the only part, min to max times
  };
  Kind kind = Kind::kEmpty;
  Ranges ranges = {};
  std::vector<Node> parts = {};
  int min = 0;
  int max = kUnbounded;

  static constexpr int kUnbounded = -1;
};

// invalid_argument names the place of what is wrong or not understood.
Result<Node> parse(std::string_view text);

// The tree as a text that `parse` and PostgreSQL's regular expressions (its "advanced" ones,
// without options) read as the same: what their languages spell differently is spelled out.
std::string text_of(const Node& node);

// The code point at the front of a text and its length in bytes; a byte that is not UTF-8 is
// U+FFFD. The text must not be empty.
std::pair<std::uint32_t, std::size_t> first_of(std::string_view text);
bool is_in(const Ranges& ranges, std::uint32_t code_point);

}  // namespace ciclo::pattern
