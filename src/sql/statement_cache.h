// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace ciclo::sql {

// The prepared statements of one connection by their text; the one unused for longest goes first. A
// Statement releases itself in its destructor and has a `bool busy`, true while it runs. Used by
// one thread at a time.
template <class Statement>
class StatementCache {
 public:
  explicit StatementCache(std::size_t statements_max) : statements_max_(statements_max) {}

  // nullptr when it is not there, or busy in an outer query.
  Statement* find(std::string_view text) {
    const auto found = by_text_.find(text);
    if (found == by_text_.end() || found->second->statement.busy) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &entries_.front().statement;
  }

  // False when a statement of this text is there: it is busy, and this one must not be kept.
  bool has(std::string_view text) const { return by_text_.contains(text); }

  Statement& add(std::string_view text, Statement statement) {
    make_room();
    entries_.push_front({std::string(text), std::move(statement)});
    by_text_.emplace(entries_.front().text, entries_.begin());
    return entries_.front().statement;
  }

  void clear() {
    by_text_.clear();
    entries_.clear();
  }

 private:
  struct Entry {
    std::string text;
    Statement statement;
  };

  void make_room() {
    auto last = entries_.end();
    while (entries_.size() >= statements_max_ && last != entries_.begin()) {
      --last;
      if (last->statement.busy) continue;
      by_text_.erase(last->text);
      last = entries_.erase(last);
    }
  }

  const std::size_t statements_max_;
  std::list<Entry> entries_;  // the last used first
  std::unordered_map<std::string_view, typename std::list<Entry>::iterator> by_text_;
};

}  // namespace ciclo::sql
