// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/comments.h"

// The SQL of comments.

namespace ciclo::tracking::store {

Result<void> insert_comment(sql::Txn& txn, std::string_view workspace, std::string_view object,
                            const Comment& comment);
Result<std::optional<Comment>> find_comment(sql::Reader& reader, std::string_view workspace,
                                            const CommentId& id);
// Newest first; behind `before` unless it is empty.
Result<std::vector<Comment>> list_comments(sql::Reader& reader, std::string_view workspace,
                                           const Commented& about, std::string_view before,
                                           int limit);
Result<void> update_comment(sql::Txn& txn, const Comment& comment);
// Keeps the text that the comment had until now.
Result<void> keep_comment_text(sql::Txn& txn, const Comment& comment, std::int64_t until_ms);
Result<std::vector<CommentText>> list_comment_texts(sql::Reader& reader, const CommentId& id);

}  // namespace ciclo::tracking::store
