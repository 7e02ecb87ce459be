// SPDX-License-Identifier: Apache-2.0
#include "blob/cache.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"

namespace ciclo::blob {
namespace {

namespace fs = std::filesystem;

class CacheOf100Bytes : public testing::Test {
 protected:
  CacheOf100Bytes() { reopen(); }

  void reopen() {
    cache_.reset();
    auto opened = Cache::open(folder_.path(), {.bytes_max = 100, .kept_ms = 1'000}, clock_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    cache_ = std::move(opened).value();
  }

  Result<std::string> put(const std::string& value) {
    TRY(auto file, cache_->create());
    TRY(file.append(value));
    return cache_->put(hash_bytes(value), std::move(file));
  }

  bool has(const std::string& value) {
    const auto found = cache_->find(hash_bytes(value));
    return found.ok() && *found;
  }

  const std::string a_ = std::string(40, 'a');
  const std::string b_ = std::string(40, 'b');
  const std::string c_ = std::string(40, 'c');
  TemporaryDirectory folder_;
  SimClock clock_;
  std::unique_ptr<Cache> cache_;
};

TEST_F(CacheOf100Bytes, what_was_not_used_for_longest_goes_first) {
  ASSERT_TRUE(put(a_).ok());
  ASSERT_TRUE(put(b_).ok());
  clock_.advance_ms(2'000);
  EXPECT_TRUE(has(a_));
  ASSERT_TRUE(put(c_).ok());
  EXPECT_TRUE(has(a_));
  EXPECT_FALSE(has(b_));
  EXPECT_TRUE(has(c_));
  EXPECT_EQ(cache_->bytes(), 80U);
}

TEST_F(CacheOf100Bytes, what_was_asked_for_a_moment_ago_stays_whatever_the_limit) {
  const auto a = put(a_);
  const auto b = put(b_);
  const auto c = put(c_);
  EXPECT_EQ(cache_->bytes(), 120U);
  for (const auto* path : {&*a, &*b, &*c}) EXPECT_TRUE(fs::exists(*path));
  clock_.advance_ms(999);
  EXPECT_TRUE(has(a_));
  clock_.advance_ms(1);
  ASSERT_TRUE(put(std::string(10, 'd')).ok());
  EXPECT_TRUE(fs::exists(*a));
  EXPECT_FALSE(fs::exists(*b));
  EXPECT_EQ(cache_->bytes(), 90U);
}

TEST_F(CacheOf100Bytes, a_value_larger_than_the_limit_is_there_until_it_is_not_asked_for) {
  const std::string large(1'000, 'x');
  EXPECT_EQ(*read_file(*put(large)), large);
  clock_.advance_ms(1'000);
  ASSERT_TRUE(put(a_).ok());
  EXPECT_FALSE(has(large));
  EXPECT_EQ(cache_->bytes(), 40U);
}

TEST_F(CacheOf100Bytes, copies_of_an_earlier_process_are_used_but_only_sound_ones) {
  std::string damaged;
  {
    ASSERT_TRUE(put(a_).ok());
    damaged = *put(b_);
  }
  fs::remove(damaged);
  ASSERT_TRUE(write_file_durably(damaged, std::string(40, 'B')).ok());
  reopen();
  EXPECT_EQ(cache_->bytes(), 80U);
  EXPECT_TRUE(has(a_));
  EXPECT_FALSE(has(b_));
  int brought = 0;
  const auto file = cache_->get(hash_bytes(b_), [&](Temporary& into) {
    ++brought;
    return into.append(b_);
  });
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(brought, 1);
  EXPECT_EQ(*read_file(*file), b_);
}

TEST_F(CacheOf100Bytes, what_cannot_be_brought_leaves_nothing_and_may_be_tried_again) {
  const auto failed = cache_->get(hash_bytes(a_), [&](Temporary& into) -> Result<void> {
    TRY(into.append("half"));
    return unavailable("gone");
  });
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_TRUE(fs::is_empty(folder_.path() / "tmp"));
  EXPECT_TRUE(cache_->get(hash_bytes(a_), [&](Temporary& into) { return into.append(a_); }).ok());
}

TEST_F(CacheOf100Bytes, a_removed_copy_is_gone) {
  ASSERT_TRUE(put(a_).ok());
  cache_->remove(hash_bytes(a_));
  EXPECT_FALSE(has(a_));
  EXPECT_EQ(cache_->bytes(), 0U);
}

}  // namespace
}  // namespace ciclo::blob
