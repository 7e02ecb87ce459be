// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <algorithm>
#include <utility>

namespace ciclo {

using pattern::Node;
using pattern::Ranges;

namespace {

constexpr std::size_t kInstructionsMax = 1'000;
// Parts that are empty take no instruction, but time.
constexpr std::size_t kPartsMax = 10'000;

// Of its spelling, which may be longer than what was given.
constexpr std::size_t kTextBytesMax = 64 << 10;

// No character: before the first, behind the last.
constexpr std::uint32_t kNone = pattern::kCodePointMax + 1;

Error too_large() {
  return invalid_argument("the pattern is too large: it has more than " +
                          std::to_string(kInstructionsMax) +
                          " characters, with repeated ones counted as often as they repeat");
}

bool is_word(std::uint32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= 'a' && c <= 'z');
}

bool holds(Node::Kind position, std::uint32_t before, std::uint32_t after) {
  switch (position) {
    case Node::Kind::kStart: return before == kNone;
    case Node::Kind::kEnd: return after == kNone;
    case Node::Kind::kBoundary: return is_word(before) != is_word(after);
    default: return is_word(before) == is_word(after);
  }
}

}  // namespace

// From the tree to the program. Each part is written behind the others and goes on at its end.
class PatternCompiler {
 public:
  using Instruction = Pattern::Instruction;
  using Kind = Instruction::Kind;

  static Result<Pattern> compile(const Node& tree) {
    PatternCompiler compiler;
    compiler.write(tree);
    compiler.add({.kind = Kind::kMatch});
    if (compiler.is_too_large()) {
      return too_large();
    }
    Pattern out;
    out.program_ = std::move(compiler.program_);
    find_beginnings(out);
    return out;
  }

 private:
  bool is_too_large() const { return program_.size() > kInstructionsMax || parts_ > kPartsMax; }

  // The place of the instruction, which goes on behind itself.
  std::size_t add(Instruction instruction) {
    instruction.next = program_.size() + 1;
    program_.push_back(std::move(instruction));
    return program_.size() - 1;
  }

  void write(const Node& node) {
    ++parts_;
    if (is_too_large()) return;
    switch (node.kind) {
      case Node::Kind::kEmpty: return;
      case Node::Kind::kCharacter: add({.kind = Kind::kCharacter, .ranges = node.ranges}); return;
      case Node::Kind::kSequence:
        for (const auto& part : node.parts) write(part);
        return;
      case Node::Kind::kChoice: return write_choice(node);
      case Node::Kind::kRepeat: return write_repeat(node);
      default: add({.kind = Kind::kPosition, .position = node.kind}); return;
    }
  }

  // split(first, split(second, third)); behind each but the last a jump to the end.
  void write_choice(const Node& node) {
    std::vector<std::size_t> jumps;
    for (std::size_t i = 0; i < node.parts.size(); ++i) {
      if (i + 1 == node.parts.size()) {
        write(node.parts[i]);
        break;
      }
      const std::size_t split = add({.kind = Kind::kSplit});
      write(node.parts[i]);
      jumps.push_back(add({.kind = Kind::kSplit}));
      program_[split].other = program_.size();
    }
    for (const std::size_t jump : jumps) {
      program_[jump].next = program_[jump].other = program_.size();
    }
  }

  void write_repeat(const Node& node) {
    const Node& part = node.parts.front();
    for (int i = 0; i < node.min; ++i) write(part);
    if (node.max == Node::kUnbounded) {
      const std::size_t split = add({.kind = Kind::kSplit});
      write(part);
      const std::size_t back = add({.kind = Kind::kSplit});
      program_[back].next = program_[back].other = split;
      program_[split].other = program_.size();
      return;
    }
    std::vector<std::size_t> splits;
    for (int i = node.min; i < node.max; ++i) {
      splits.push_back(add({.kind = Kind::kSplit}));
      write(part);
    }
    for (const std::size_t split : splits) program_[split].other = program_.size();
  }

  static void find_beginnings(Pattern& out) {
    std::vector<bool> is_seen(out.program_.size(), false);
    std::vector<std::size_t> open = {0};
    while (!open.empty()) {
      const std::size_t at = open.back();
      open.pop_back();
      if (is_seen[at]) continue;
      is_seen[at] = true;
      const Instruction& instruction = out.program_[at];
      if (instruction.kind == Kind::kMatch || instruction.kind == Kind::kPosition) return;
      if (instruction.kind == Kind::kSplit) {
        open.insert(open.end(), {instruction.next, instruction.other});
        continue;
      }
      for (const auto& [first, last] : instruction.ranges) {
        for (std::uint32_t c = first; c <= last && c < 0x80; ++c) out.beginnings_[c] = true;
        // Characters beyond ASCII all begin with one of these, and so does what is not UTF-8.
        if (last >= 0x80) std::fill(out.beginnings_.begin() + 0x80, out.beginnings_.end(), true);
      }
    }
    out.knows_beginnings_ = true;
  }

  std::vector<Instruction> program_;
  std::size_t parts_ = 0;
};

// The instructions that wait for the next character, on all ways that are open.
class Pattern::Run {
 public:
  explicit Run(const std::vector<Instruction>& program)
      : program_(program), seen_at_(program.size(), 0) {}

  bool is_idle() const { return waiting_.empty(); }

  // Follows the ways that are open, and one that begins here, to instructions that take a
  // character. True when one of them is at its end.
  bool follow(std::uint32_t before, std::uint32_t after) {
    ++place_;
    open_.swap(waiting_);
    waiting_.clear();
    open_.push_back(0);
    while (!open_.empty()) {
      const std::size_t at = open_.back();
      open_.pop_back();
      if (seen_at_[at] == place_) continue;
      seen_at_[at] = place_;
      const Instruction& instruction = program_[at];
      switch (instruction.kind) {
        case Instruction::Kind::kMatch: return true;
        case Instruction::Kind::kCharacter: waiting_.push_back(at); break;
        case Instruction::Kind::kPosition:
          if (holds(instruction.position, before, after)) open_.push_back(instruction.next);
          break;
        case Instruction::Kind::kSplit:
          open_.push_back(instruction.next);
          open_.push_back(instruction.other);
          break;
      }
    }
    return false;
  }

  void take(std::uint32_t character) {
    std::size_t kept = 0;
    for (const std::size_t at : waiting_) {
      if (!pattern::is_in(program_[at].ranges, character)) continue;
      waiting_[kept++] = program_[at].next;
    }
    waiting_.resize(kept);
  }

 private:
  const std::vector<Instruction>& program_;
  std::vector<std::size_t> seen_at_;  // the place in the text where an instruction was last met
  std::size_t place_ = 0;
  std::vector<std::size_t> waiting_;
  std::vector<std::size_t> open_;
};

Result<Pattern> Pattern::parse(std::string_view text) {
  if (text.size() > kTextBytesMax) return too_large();
  TRY(const auto tree, pattern::parse(text));
  TRY(auto out, PatternCompiler::compile(tree));
  out.text_ = pattern::text_of(tree);
  if (out.text_.size() > kTextBytesMax) return too_large();
  return out;
}

bool Pattern::matches(std::string_view text) const {
  Run run(program_);
  std::uint32_t before = kNone;
  while (true) {
    if (knows_beginnings_ && run.is_idle()) {
      while (!text.empty() && !beginnings_[static_cast<unsigned char>(text.front())]) {
        text.remove_prefix(1);
      }
    }
    const auto [character, length] =
        text.empty() ? std::pair(kNone, std::size_t{0}) : pattern::first_of(text);
    if (run.follow(before, character)) return true;
    if (text.empty()) return false;
    run.take(character);
    before = character;
    text.remove_prefix(length);
  }
}

}  // namespace ciclo
