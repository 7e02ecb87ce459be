// SPDX-License-Identifier: Apache-2.0
#include "tracking/store_comments.h"

namespace ciclo::tracking::store {

namespace {

Comment comment_of(const sql::Row& row) {
  Comment comment;
  comment.comment_id = CommentId(row.string(0));
  comment.kind = row.string(1);
  comment.author = row.string(2);
  comment.text = row.string(3);
  comment.created_ms = row.integer(4);
  comment.edits = row.integer(5);
  comment.edited_ms = row.optional_integer(6);
  comment.deleted_ms = row.optional_integer(7);
  return comment;
}

}  // namespace

Result<void> insert_comment(sql::Txn& txn, std::string_view workspace, std::string_view object,
                            const Comment& comment) {
  TRY(txn.execute(R"(
      INSERT INTO comments (comment_id, workspace, kind, object, author, text, created_ms, edits)
      VALUES ($1, $2, $3, $4, $5, $6, $7, 0))",
                  {comment.comment_id.str(), workspace, comment.kind, object, comment.author,
                   comment.text, comment.created_ms}));
  return {};
}

Result<std::optional<Comment>> find_comment(sql::Reader& reader, std::string_view workspace,
                                            const CommentId& id) {
  return reader.query_one(R"(
      SELECT comment_id, kind, author, text, created_ms, edits, edited_ms, deleted_ms
      FROM comments WHERE comment_id = $1 AND workspace = $2)",
                          {id.str(), workspace}, comment_of);
}

Result<std::vector<Comment>> list_comments(sql::Reader& reader, std::string_view workspace,
                                           const Commented& about, std::string_view before,
                                           int limit) {
  // Ids are hexadecimal digits: all come before "g".
  return reader.query_all(
      R"(
      SELECT comment_id, kind, author, text, created_ms, edits, edited_ms, deleted_ms
      FROM comments WHERE workspace = $1 AND kind = $2 AND object = $3 AND comment_id < $4
      ORDER BY comment_id DESC LIMIT $5)",
      {workspace, about.kind, about.object, before.empty() ? "g" : before, std::int64_t{limit}},
      comment_of);
}

Result<void> update_comment(sql::Txn& txn, const Comment& comment) {
  TRY(txn.execute(R"(
      UPDATE comments SET text = $2, edits = $3, edited_ms = $4, deleted_ms = $5
      WHERE comment_id = $1)",
                  {comment.comment_id.str(), comment.text, comment.edits,
                   sql::param(comment.edited_ms), sql::param(comment.deleted_ms)}));
  return {};
}

Result<void> keep_comment_text(sql::Txn& txn, const Comment& comment, std::int64_t until_ms) {
  TRY(txn.execute(R"(
      INSERT INTO comment_texts (comment_id, number, text, until_ms) VALUES ($1, $2, $3, $4))",
                  {comment.comment_id.str(), comment.edits + 1, comment.text, until_ms}));
  return {};
}

Result<std::vector<CommentText>> list_comment_texts(sql::Reader& reader, const CommentId& id) {
  return reader.query_all(
      "SELECT text, until_ms FROM comment_texts WHERE comment_id = $1 ORDER BY number", {id.str()},
      [](const sql::Row& row) {
        return CommentText{row.string(0), row.integer(1)};
      });
}

}  // namespace ciclo::tracking::store
