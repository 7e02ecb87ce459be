// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iterator>

#include "base/recorded_sync.h"

namespace ciclo {
namespace {

TEST(File, a_durable_write_makes_parents_and_leaves_nothing_else) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "a" / "b" / "file";
  ASSERT_TRUE(write_file_durably(path, "one").ok());
  ASSERT_TRUE(write_file_durably(path, "two").ok());
  EXPECT_EQ(*read_file(path), "two");
  const std::filesystem::directory_iterator entries(path.parent_path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(File, a_new_directory_is_synced_into_each_parent_that_is_new_too) {
  const TemporaryDirectory directory;
  const auto& root = directory.path();
  RecordedSync::clear();
  ASSERT_TRUE(make_directories_durably(root / "a" / "b" / "c").ok());
  EXPECT_TRUE(std::filesystem::is_directory(root / "a" / "b" / "c"));
  EXPECT_TRUE(RecordedSync::has(root));
  EXPECT_TRUE(RecordedSync::has(root / "a"));
  EXPECT_TRUE(RecordedSync::has(root / "a" / "b"));
  RecordedSync::clear();
  ASSERT_TRUE(make_directories_durably(root / "a" / "b/").ok());
  ASSERT_TRUE(make_directories_durably("").ok());
  EXPECT_FALSE(RecordedSync::has(root)) << "the name of a was synced before b was made";
  ASSERT_TRUE(make_directories_durably(root / "d/").ok());
  EXPECT_TRUE(RecordedSync::has(root));
}

TEST(File, a_directory_that_another_has_just_made_is_synced_too) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "a");
  RecordedSync::clear();
  ASSERT_TRUE(make_directories_durably(directory.path() / "a").ok());
  EXPECT_TRUE(RecordedSync::has(directory.path()));
  RecordedSync::clear();
  ASSERT_TRUE(make_directories_durably(directory.path() / "a" / "b").ok());
  EXPECT_TRUE(RecordedSync::has(directory.path()));
}

// A home below a /home that its users may not list.
TEST(File, a_directory_whose_parent_cannot_be_read_is_taken_as_it_is) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const TemporaryDirectory directory;
  const auto parent = directory.path() / "parent";
  std::filesystem::create_directories(parent / "home");
  std::filesystem::permissions(parent, std::filesystem::perms::owner_exec);
  const auto made = make_directories_durably(parent / "home" / "project");
  std::filesystem::permissions(parent, std::filesystem::perms::owner_all);
  EXPECT_TRUE(made.ok());
}

TEST(File, a_durable_write_syncs_the_parents_that_it_makes) {
  const TemporaryDirectory directory;
  RecordedSync::clear();
  ASSERT_TRUE(write_file_durably(directory.path() / "a" / "b" / "file", "x").ok());
  EXPECT_TRUE(RecordedSync::has(directory.path()));
  EXPECT_TRUE(RecordedSync::has(directory.path() / "a"));
  EXPECT_TRUE(RecordedSync::has(directory.path() / "a" / "b"));
}

TEST(File, a_file_in_the_place_of_a_directory_is_named) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(write_file_durably(directory.path() / "file", "x").ok());
  const auto made = make_directories_durably(directory.path() / "file" / "below");
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find((directory.path() / "file").string()), std::string::npos);
}

TEST(File, a_failed_write_leaves_the_old_content) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory.path() / "taken");
  EXPECT_FALSE(write_file_durably(directory.path() / "taken", "x").ok());
  EXPECT_TRUE(std::filesystem::is_directory(directory.path() / "taken"));
  const std::filesystem::directory_iterator entries(directory.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(File, reading_is_bounded) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  ASSERT_TRUE(write_file_durably(path, "12345").ok());
  EXPECT_TRUE(read_file(path, 5).ok());
  EXPECT_EQ(read_file(path, 4).error().code, Code::kResourceExhausted);
}

TEST(File, pieces_are_the_whole_and_an_error_ends_the_reading) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  const std::string content(1 << 20, 'x');
  ASSERT_TRUE(write_file_durably(path, content).ok());
  std::string seen;
  int pieces = 0;
  ASSERT_TRUE(read_file_in_pieces(path, [&](std::string_view piece) -> Result<void> {
                seen += piece;
                ++pieces;
                return {};
              }).ok());
  EXPECT_EQ(seen, content);
  EXPECT_GT(pieces, 1);
  int calls = 0;
  const auto stopped = read_file_in_pieces(path, [&](std::string_view) -> Result<void> {
    ++calls;
    return cancelled("enough");
  });
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_EQ(calls, 1);
}

TEST(File, errors_name_the_path_and_have_a_code) {
  const Error missing = read_file("/nonexistent/file").error();
  EXPECT_EQ(missing.code, Code::kNotFound);
  EXPECT_EQ(missing.message, "cannot open /nonexistent/file: No such file or directory");
  EXPECT_EQ(file_error("write", "/x", ENOSPC).code, Code::kResourceExhausted);
  EXPECT_EQ(file_error("write", "/x", EACCES).code, Code::kPermissionDenied);
}

TEST(File, a_temporary_directory_goes_with_its_object) {
  std::filesystem::path path;
  {
    const TemporaryDirectory directory;
    path = directory.path();
    ASSERT_TRUE(write_file_durably(path / "deep" / "file", "x").ok());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace ciclo
