// SPDX-License-Identifier: Apache-2.0
//
// What the local store does beyond the contract (contract_test.cc).
#include "blob/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/recorded_sync.h"
#include "blob/test_stores.h"

namespace ciclo::blob {
namespace {

namespace fs = std::filesystem;

class LocalBlobs : public testing::Test {
 protected:
  LocalBlobs() : store_(*place_.open()) {}

  fs::path root() const { return place_.root(); }

  static constexpr std::int64_t kLongAgoMs = 1'000'000'000'000;

  static void set_old(const fs::path& path) {
    const struct timespec at { kLongAgoMs / 1000, 0 };
    const std::array times{at, at};
    ::utimensat(AT_FDCWD, path.c_str(), times.data(), 0);
  }

  // As if the value had been touched at `kLongAgoMs`.
  void make_old(const Hash& hash) {
    set_old(root() / "objects" / hash.substr(0, 2) / hash.substr(2));
  }

  LocalPlace place_;
  std::unique_ptr<Store> store_;
};

TEST_F(LocalBlobs, a_fresh_root_is_durable_with_all_its_parents) {
  const TemporaryDirectory folder;
  RecordedSync::clear();
  const auto made = open("file:" + (folder.path() / "deep" / "blobs").string());
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_TRUE(RecordedSync::has(folder.path()));
  EXPECT_TRUE(RecordedSync::has(folder.path() / "deep"));
  EXPECT_TRUE(RecordedSync::has(folder.path() / "deep" / "blobs"));
}

TEST_F(LocalBlobs, a_root_that_another_has_made_is_durable_too) {
  const TemporaryDirectory folder;
  for (const auto* const name : {"objects", "tmp"}) {
    std::filesystem::create_directories(folder.path() / "blobs" / name);
  }
  RecordedSync::clear();
  ASSERT_TRUE(open("file:" + (folder.path() / "blobs").string()).ok());
  EXPECT_TRUE(RecordedSync::has(folder.path()));
  EXPECT_TRUE(RecordedSync::has(folder.path() / "blobs"));
}

TEST_F(LocalBlobs, opening_removes_leftovers_but_not_what_is_being_written) {
  std::ofstream(place_.temporary() / "left-by-a-crash") << "half";
  auto writer = store_->create();
  ASSERT_TRUE((*writer)->write("whole").ok());
  const auto other = place_.open();
  EXPECT_EQ(place_.files_being_written(), 1U);
  const auto committed = (*writer)->commit();
  ASSERT_TRUE(committed.ok()) << committed.error().message;
  EXPECT_EQ(*(*other)->get(committed->hash), "whole");
}

TEST_F(LocalBlobs, a_link_in_the_place_of_a_value_is_not_followed) {
  const TemporaryDirectory folder;
  const auto hash = store_->put("value")->hash;
  const fs::path object = *store_->local_path(hash);
  std::ofstream(folder.path() / "secret") << "secret";
  fs::remove(object);
  fs::create_symlink(folder.path() / "secret", object);
  EXPECT_EQ(store_->get(hash).error().code, Code::kDataLoss);
  EXPECT_EQ(store_->local_path(hash).error().code, Code::kDataLoss);
  EXPECT_EQ(store_->put("value")->hash, hash);
  EXPECT_EQ(*store_->get(hash), "value");
  EXPECT_EQ(*read_file(folder.path() / "secret"), "secret");
}

TEST_F(LocalBlobs, lists_what_is_stored) {
  std::map<Hash, std::uint64_t> expected;
  for (const std::string value : {"", "a", "four"})
    expected[store_->put(value)->hash] = value.size();
  std::ofstream(root() / "objects" / "stranger") << "no value";
  std::map<Hash, std::uint64_t> listed;
  const auto list = store_->list([&](const Store::Stored& stored) -> Result<void> {
    listed[stored.hash] = stored.size;
    EXPECT_LE(std::abs(stored.touched_ms - SystemClock().now_ms()), 60'000);
    return {};
  });
  EXPECT_TRUE(list.ok());
  EXPECT_EQ(listed, expected);
  const auto ended =
      store_->list([](const Store::Stored&) -> Result<void> { return cancelled("enough"); });
  EXPECT_EQ(ended.error().code, Code::kCancelled);
}

TEST_F(LocalBlobs, a_value_that_was_touched_since_is_not_removed) {
  const auto old = kLongAgoMs + 1;
  const Hash hash = store_->put("value")->hash;
  EXPECT_FALSE(*store_->remove_untouched(hash, old));
  make_old(hash);
  EXPECT_EQ(*store_->touch(hash), 5U);
  EXPECT_FALSE(*store_->remove_untouched(hash, old));
  make_old(hash);
  EXPECT_FALSE(*store_->remove_untouched(hash, kLongAgoMs));
  ASSERT_TRUE(store_->put("value").ok());
  EXPECT_FALSE(*store_->remove_untouched(hash, old)) << "equal bytes were committed";
  EXPECT_EQ(*store_->get(hash), "value");
  make_old(hash);
  EXPECT_TRUE(*store_->remove_untouched(hash, old));
  EXPECT_EQ(store_->size(hash).error().code, Code::kNotFound);
  EXPECT_FALSE(*store_->remove_untouched(hash, old));
  EXPECT_EQ(store_->touch(hash).error().code, Code::kNotFound);
}

TEST_F(LocalBlobs, a_commit_touches_a_value_whose_last_piece_is_old) {
  const auto writer = store_->create();
  ASSERT_TRUE((*writer)->write("slow").ok());
  for (const auto& entry : fs::directory_iterator(root() / "tmp")) set_old(entry.path());
  const auto committed = (*writer)->commit();
  ASSERT_TRUE(committed.ok());
  EXPECT_FALSE(*store_->remove_untouched(committed->hash, kLongAgoMs + 1));
}

// Two processes' worth of stores on one folder: what a commit or a touch has acknowledged is there
// until it is old again, whatever the other removes meanwhile.
TEST_F(LocalBlobs, a_removal_never_undoes_a_commit_or_a_touch) {
  auto other = open_local(root().string());
  const Hash hash = store_->put("contended")->hash;
  std::atomic<bool> is_over = false;
  std::thread remover([&] {
    while (!is_over) EXPECT_TRUE((*other)->remove_untouched(hash, kLongAgoMs + 1).ok());
  });
  std::size_t removed = 0;
  // At least 300 rounds, and on until the remover has had its turn on the processor.
  for (int i = 0; i < 300 || (removed == 0 && i < 100'000); ++i) {
    const bool is_touched = i % 2 == 0 && store_->touch(hash).ok();
    ASSERT_TRUE(is_touched || store_->put("contended").ok());
    ASSERT_TRUE(store_->size(hash).ok()) << "in round " << i;
    make_old(hash);
    if (i % 8 == 0) std::this_thread::yield();
    if (!store_->size(hash).ok()) ++removed;
  }
  is_over = true;
  remover.join();
  EXPECT_GT(removed, 0U) << "the remover never had its way, so this has shown nothing";
}

TEST_F(LocalBlobs, leftovers_are_counted_and_removed_but_for_new_ones_and_those_being_written) {
  std::ofstream(root() / "tmp" / "old") << "half";
  set_old(root() / "tmp" / "old");
  std::ofstream(root() / "tmp" / "new") << "half a value";
  auto writer = store_->create();
  ASSERT_TRUE((*writer)->write("whole").ok());
  for (const auto sweep : {Store::Sweep::kCount, Store::Sweep::kRemove}) {
    const auto left = store_->sweep_leftovers(kLongAgoMs + 1, sweep);
    EXPECT_EQ(left->count, 1U);
    EXPECT_EQ(left->bytes, 4U);
  }
  EXPECT_FALSE(fs::exists(root() / "tmp" / "old"));
  EXPECT_TRUE(fs::exists(root() / "tmp" / "new"));
  const auto any = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(store_->sweep_leftovers(any, Store::Sweep::kRemove)->bytes, 12U);
  EXPECT_TRUE((*writer)->commit().ok());
}

TEST(BlobUrl, names_what_it_expects) {
  EXPECT_EQ(open("ftp:x").error().code, Code::kInvalidArgument);
  EXPECT_EQ(open("file:").error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace ciclo::blob
