// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/result.h"
#include "events/log.h"
#include "sql/database.h"
#include "tracking/types.h"

// What people say about experiments, runs, registered models and their versions, as Markdown. The
// author is the caller, and only the author may change or delete a comment; what it said before
// stays to be read. Safe to share between threads.

namespace ciclo::tracking {

using CommentId = Id<struct CommentTag>;

// A text that an edit or the deletion replaced.
struct CommentText {
  std::string text;
  std::int64_t until_ms = 0;

  template <class V>
  void fields(V& v) {
    v("text", text);
    v("until_ms", until_ms);
  }
};

struct Comment {
  CommentId comment_id;
  std::string kind;
  std::string author;
  std::string text;  // empty once deleted
  std::int64_t created_ms = 0;
  std::int64_t edits = 0;
  std::optional<std::int64_t> edited_ms;
  std::optional<std::int64_t> deleted_ms;

  template <class V>
  void fields(V& v) {
    v("comment_id", comment_id);
    v("kind", kind);
    v("author", author);
    v("text", text);
    v("created_ms", created_ms);
    v("edits", edits);
    v("edited_ms", edited_ms);
    v("deleted_ms", deleted_ms);
  }
};

class Comments {
 public:
  // All must outlive the service.
  Comments(sql::Database& database, events::Log& events, Clock& clock, IdSource& ids);

  // invalid_argument for a text that is blank, not UTF-8 or longer than 16 KiB.
  Result<Comment> add(const Context& context, const Commented& about, const std::string& text);
  // Newest first, deleted ones without their text; behind `before`, a comment's id, or from the
  // newest when it is empty.
  Result<std::vector<Comment>> list(const Context& context, const Commented& about,
                                    std::string_view before, int limit);
  // not_found for an unknown one.
  Result<Comment> get(const Context& context, const CommentId& id);
  // What it said before, oldest first.
  Result<std::vector<CommentText>> history(const Context& context, const CommentId& id);
  // permission_denied for another caller than the author, failed_precondition for a deleted one. A
  // text that is the same already is no edit.
  Result<Comment> edit(const Context& context, const CommentId& id, const std::string& text);
  Result<Comment> remove(const Context& context, const CommentId& id);

 private:
  sql::Database& database_;
  events::Log& events_;
  Clock& clock_;
  IdSource& ids_;
};

}  // namespace ciclo::tracking
