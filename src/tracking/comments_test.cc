// SPDX-License-Identifier: Apache-2.0
#include "tracking/comments.h"

#include <gtest/gtest.h>

#include "sql/test_database.h"
#include "tracking/tracking.h"

namespace ciclo::tracking {
namespace {

class CommentsTest : public testing::TestWithParam<sql::Engine> {
 protected:
  CommentsTest() {
    std::vector<sql::Migration> migrations;
    for (const auto module : {events::schema(), schema()}) {
      migrations.insert(migrations.end(), module.begin(), module.end());
    }
    EXPECT_TRUE(sql::migrate(*database, migrations).ok());
    context.caller = "anna";
    somebody.caller = "bert";
  }

  Comment add(const std::string& text) {
    auto added = comments.add(context, about, text);
    EXPECT_TRUE(added.ok()) << added.error().message;
    clock.advance_ms(1000);
    return added.ok() ? *added : Comment();
  }

  std::vector<std::string> texts(std::string_view before = {}, int limit = 10) {
    std::vector<std::string> out;
    const auto listed = comments.list(context, about, before, limit);
    EXPECT_TRUE(listed.ok());
    for (const auto& comment : *listed) out.push_back(comment.text);
    return out;
  }

  SimClock clock;
  SeededRandom random{1};
  IdSource ids{clock, random};
  sql::TestDatabase database{GetParam()};
  events::Log events{*database, clock};
  Comments comments{*database, events, clock, ids};
  Context context;
  Context somebody;
  const Commented about{"run", "r1", "r1"};
};

TEST_P(CommentsTest, comments_are_listed_newest_first_and_by_what_they_are_about) {
  const Comment first = add("one");
  add("two");
  add("three");
  ASSERT_TRUE(comments.add(context, {"run", "r2", "r2"}, "elsewhere").ok());
  ASSERT_TRUE(comments.add(context, {"experiment", "r1", "r1"}, "of another kind").ok());
  EXPECT_EQ(texts(), (std::vector<std::string>{"three", "two", "one"}));
  EXPECT_EQ(texts({}, 2), (std::vector<std::string>{"three", "two"}));
  const auto page = comments.list(context, about, {}, 2);
  EXPECT_EQ(texts(page->back().comment_id.str()), (std::vector<std::string>{"one"}));
  EXPECT_EQ(first.author, "anna");
  Context other = context;
  other.workspace = "other";
  EXPECT_TRUE(comments.list(other, about, {}, 10)->empty());
  EXPECT_EQ(comments.get(other, first.comment_id).error().code, Code::kNotFound);
}

TEST_P(CommentsTest, an_edit_keeps_what_was_said_before) {
  const Comment comment = add("first");
  const std::int64_t edited_ms = clock.now_ms();
  ASSERT_TRUE(comments.edit(context, comment.comment_id, "second").ok());
  clock.advance_ms(1000);
  const auto same = comments.edit(context, comment.comment_id, "second");
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->edits, 1);
  EXPECT_EQ(same->edited_ms, edited_ms);
  const auto removed = comments.remove(context, comment.comment_id);
  ASSERT_TRUE(removed.ok()) << removed.error().message;
  EXPECT_EQ(removed->text, "");
  EXPECT_TRUE(removed->deleted_ms.has_value());
  const auto history = comments.history(context, comment.comment_id);
  ASSERT_TRUE(history.ok());
  ASSERT_EQ(history->size(), 2U);
  EXPECT_EQ((*history)[0].text, "first");
  EXPECT_EQ((*history)[0].until_ms, edited_ms);
  EXPECT_EQ((*history)[1].text, "second");
  EXPECT_EQ(texts(), (std::vector<std::string>{""}));
  EXPECT_EQ(comments.edit(context, comment.comment_id, "third").error().code,
            Code::kFailedPrecondition);
  EXPECT_EQ(comments.remove(context, comment.comment_id).error().code, Code::kFailedPrecondition);
}

TEST_P(CommentsTest, only_the_author_changes_a_comment) {
  const Comment comment = add("mine");
  const auto edited = comments.edit(somebody, comment.comment_id, "yours");
  ASSERT_FALSE(edited.ok());
  EXPECT_EQ(edited.error().code, Code::kPermissionDenied);
  EXPECT_EQ(edited.error().message,
            "comment " + comment.comment_id.str() +
                " is \"anna\"'s: only its author may change it, not \"bert\"");
  EXPECT_EQ(comments.remove(somebody, comment.comment_id).error().code, Code::kPermissionDenied);
  EXPECT_EQ(texts(), (std::vector<std::string>{"mine"}));
}

TEST_P(CommentsTest, a_text_has_1_byte_to_16_kib_of_utf8) {
  for (const std::string& text :
       {std::string(), std::string(" \n"), std::string(16'385, 'a'), std::string("\xff")}) {
    const auto added = comments.add(context, about, text);
    ASSERT_FALSE(added.ok());
    EXPECT_EQ(added.error().code, Code::kInvalidArgument);
  }
  EXPECT_TRUE(comments.add(context, about, std::string(16'384, 'a')).ok());
}

TEST_P(CommentsTest, what_happens_to_comments_is_told) {
  const Comment comment = add("one");
  ASSERT_TRUE(comments.edit(context, comment.comment_id, "two").ok());
  ASSERT_TRUE(comments.remove(context, comment.comment_id).ok());
  const auto told = events.read_after(0, 10);
  ASSERT_TRUE(told.ok());
  std::vector<std::string> kinds;
  for (const auto& event : *told) kinds.push_back(event.kind);
  EXPECT_EQ(kinds,
            (std::vector<std::string>{"comment.added", "comment.edited", "comment.deleted"}));
  EXPECT_EQ(told->front().subject, comment.comment_id.str());
  EXPECT_EQ(told->front().body.string_or("about", ""), "r1");
}

INSTANTIATE_TEST_SUITE_P(Engines, CommentsTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::tracking
