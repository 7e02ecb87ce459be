// SPDX-License-Identifier: Apache-2.0
#include "tracking/comments.h"

#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "sql/once.h"
#include "tracking/store_comments.h"

namespace ciclo::tracking {

namespace {

constexpr std::size_t kTextBytesMax = 16 << 10;

Result<void> check_text(const std::string& text) {
  if (trim(text).empty()) return invalid_argument("the comment's text is empty: say something");
  if (text.size() > kTextBytesMax) {
    return invalid_argument("the comment's text has " + std::to_string(text.size()) +
                            " bytes: at most 16384 are taken");
  }
  if (!is_utf8(text)) return invalid_argument("the comment's text is not UTF-8");
  return {};
}

Result<Comment> required(sql::Reader& reader, const Context& context, const CommentId& id) {
  TRY(auto found, store::find_comment(reader, context.workspace, id));
  if (!found) return not_found("no comment with id " + quoted(id.str()) + " exists");
  return std::move(*found);
}

Result<Comment> required_own(sql::Reader& reader, const Context& context, const CommentId& id) {
  TRY(auto comment, required(reader, context, id));
  if (comment.author != context.caller) {
    return permission_denied("comment " + id.str() + " is " + quoted(comment.author) +
                             "'s: only its author may change it, not " + quoted(context.caller));
  }
  if (comment.deleted_ms) return failed_precondition("comment " + id.str() + " is deleted");
  return comment;
}

json::Value event_of(const Comment& comment) {
  return json::Value::object({{"comment_id", comment.comment_id.str()},
                              {"kind", comment.kind},
                              {"author", comment.author}});
}

}  // namespace

Comments::Comments(sql::Database& database, events::Log& events, Clock& clock, IdSource& ids)
    : database_(database), events_(events), clock_(clock), ids_(ids) {}

Result<Comment> Comments::add(const Context& context, const Commented& about,
                              const std::string& text) {
  TRY(check_text(text));
  Comment comment;
  comment.comment_id = ids_.next_id<CommentId>();
  comment.kind = about.kind;
  comment.author = context.caller;
  comment.text = text;
  comment.created_ms = clock_.now_ms();
  auto added = sql::once(database_, context, [&](sql::Txn& txn) -> Result<Comment> {
    TRY(store::insert_comment(txn, context.workspace, about.object, comment));
    json::Value body = event_of(comment);
    body["about"] = about.name;
    body["text"] = text;
    TRY(events_.append(txn, context.workspace, "comment.added", comment.comment_id.str(), body));
    return comment;
  });
  if (added.ok()) events_.wake();
  return added;
}

Result<std::vector<Comment>> Comments::list(const Context& context, const Commented& about,
                                            std::string_view before, int limit) {
  return database_.view([&](sql::Reader& reader) {
    return store::list_comments(reader, context.workspace, about, before, limit);
  });
}

Result<Comment> Comments::get(const Context& context, const CommentId& id) {
  return database_.view([&](sql::Reader& reader) { return required(reader, context, id); });
}

Result<std::vector<CommentText>> Comments::history(const Context& context, const CommentId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<CommentText>> {
    TRY(const auto comment, required(reader, context, id));
    return store::list_comment_texts(reader, comment.comment_id);
  });
}

Result<Comment> Comments::edit(const Context& context, const CommentId& id,
                               const std::string& text) {
  TRY(check_text(text));
  auto edited = sql::once(database_, context, [&](sql::Txn& txn) -> Result<Comment> {
    TRY(auto comment, required_own(txn, context, id));
    if (comment.text == text) return comment;
    const std::int64_t now_ms = clock_.now_ms();
    TRY(store::keep_comment_text(txn, comment, now_ms));
    comment.text = text;
    comment.edits += 1;
    comment.edited_ms = now_ms;
    TRY(store::update_comment(txn, comment));
    json::Value body = event_of(comment);
    body["text"] = text;
    TRY(events_.append(txn, context.workspace, "comment.edited", id.str(), body));
    return comment;
  });
  if (edited.ok()) events_.wake();
  return edited;
}

Result<Comment> Comments::remove(const Context& context, const CommentId& id) {
  auto removed = sql::once(database_, context, [&](sql::Txn& txn) -> Result<Comment> {
    TRY(auto comment, required_own(txn, context, id));
    comment.deleted_ms = clock_.now_ms();
    TRY(store::keep_comment_text(txn, comment, *comment.deleted_ms));
    comment.text.clear();
    TRY(store::update_comment(txn, comment));
    TRY(events_.append(txn, context.workspace, "comment.deleted", id.str(), event_of(comment)));
    return comment;
  });
  if (removed.ok()) events_.wake();
  return removed;
}

}  // namespace ciclo::tracking
