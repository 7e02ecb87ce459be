// SPDX-License-Identifier: Apache-2.0
#include "blob/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/killed_process.h"
#include "base/random.h"
#include "base/recorded_sync.h"

namespace ciclo::blob {
namespace {

namespace fs = std::filesystem;

class LocalBlobs : public testing::Test {
 protected:
  LocalBlobs() { reopen(); }

  void reopen() {
    auto opened = open("file:" + root().string());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened).value();
  }

  fs::path root() const { return folder_.path() / "blobs"; }

  std::size_t files_in(std::string_view part) const {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(root() / part)) {
      if (entry.is_regular_file()) ++files;
    }
    return files;
  }

  std::string read_range(const Hash& hash, std::uint64_t offset, std::uint64_t length) {
    std::string out;
    const auto read =
        store_->read(hash, offset, length, [&](std::string_view piece) -> Result<void> {
          out.append(piece);
          return {};
        });
    return read.ok() ? out : read.error().message;
  }

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

  TemporaryDirectory folder_;
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

TEST_F(LocalBlobs, gives_back_what_was_put) {
  const std::string value = std::string(700'000, 'x') + std::string("\0end", 4);
  const auto put = store_->put(value);
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(put->hash, hash_bytes(value));
  EXPECT_EQ(put->size, value.size());
  reopen();
  EXPECT_EQ(*store_->get(put->hash), value);
  EXPECT_EQ(*store_->size(put->hash), value.size());
  EXPECT_EQ(*read_file(*store_->local_path(put->hash)), value);
}

TEST_F(LocalBlobs, a_link_in_the_place_of_a_value_is_not_followed) {
  const auto hash = store_->put("value")->hash;
  const fs::path object = *store_->local_path(hash);
  std::ofstream(folder_.path() / "secret") << "secret";
  fs::remove(object);
  fs::create_symlink(folder_.path() / "secret", object);
  EXPECT_EQ(store_->get(hash).error().code, Code::kDataLoss);
  EXPECT_EQ(store_->local_path(hash).error().code, Code::kDataLoss);
  EXPECT_EQ(store_->put("value")->hash, hash);
  EXPECT_EQ(*store_->get(hash), "value");
  EXPECT_EQ(*read_file(folder_.path() / "secret"), "secret");
}

TEST_F(LocalBlobs, reads_ranges) {
  const auto hash = store_->put("0123456789")->hash;
  EXPECT_EQ(read_range(hash, 0, 3), "012");
  EXPECT_EQ(read_range(hash, 7, 100), "789");
  EXPECT_EQ(read_range(hash, 10, 1), "");
  EXPECT_EQ(read_range(hash, 99, 1), "");
  EXPECT_EQ(read_range(hash, 5, 0), "");
}

TEST_F(LocalBlobs, stores_empty_values) {
  const auto put = store_->put("");
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(*store_->get(put->hash), "");
}

TEST_F(LocalBlobs, stores_the_same_bytes_once) {
  const auto first = store_->put("same");
  const auto second = store_->put("same");
  EXPECT_EQ(first->hash, second->hash);
  EXPECT_EQ(files_in("objects"), 1U);
  EXPECT_EQ(files_in("tmp"), 0U);
}

TEST_F(LocalBlobs, stores_files) {
  const auto file = folder_.path() / "f";
  ASSERT_TRUE(write_file_durably(file, "content").ok());
  EXPECT_EQ(store_->put_file(file.string())->hash, hash_bytes("content"));
  EXPECT_EQ(store_->put_file((folder_.path() / "none").string()).error().code, Code::kNotFound);
}

TEST_F(LocalBlobs, a_writer_without_commit_leaves_nothing) {
  {
    const auto writer = store_->create();
    ASSERT_TRUE((*writer)->write("half").ok());
    EXPECT_EQ(files_in("tmp"), 1U);
  }
  EXPECT_EQ(files_in("tmp"), 0U);
  EXPECT_EQ(files_in("objects"), 0U);
}

TEST_F(LocalBlobs, opening_removes_leftovers_but_not_what_is_being_written) {
  std::ofstream(root() / "tmp" / "left-by-a-crash") << "half";
  auto writer = store_->create();
  ASSERT_TRUE((*writer)->write("whole").ok());
  const auto other = open_local(root().string());
  EXPECT_EQ(files_in("tmp"), 1U);
  const auto committed = (*writer)->commit();
  ASSERT_TRUE(committed.ok()) << committed.error().message;
  EXPECT_EQ(*(*other)->get(committed->hash), "whole");
}

TEST_F(LocalBlobs, takes_nothing_but_hashes_for_paths) {
  const std::string outside = "../../" + std::string(58, 'a');
  for (const std::string& hash :
       {std::string(), outside, std::string("/etc/passwd"), std::string(64, 'A'),
        std::string(63, 'a'), std::string(64, '.')}) {
    EXPECT_EQ(store_->size(hash).error().code, Code::kInvalidArgument) << hash;
    EXPECT_EQ(store_->local_path(hash).error().code, Code::kInvalidArgument) << hash;
    EXPECT_EQ(store_->get(hash).error().code, Code::kInvalidArgument) << hash;
    EXPECT_EQ(store_->remove(hash).error().code, Code::kInvalidArgument) << hash;
    EXPECT_EQ(store_->touch(hash).error().code, Code::kInvalidArgument) << hash;
    EXPECT_EQ(store_->remove_untouched(hash, 0).error().code, Code::kInvalidArgument) << hash;
  }
}

TEST_F(LocalBlobs, a_missing_value_is_not_found) {
  const Hash hash = hash_bytes("nobody put this");
  EXPECT_EQ(store_->get(hash).error().code, Code::kNotFound);
  EXPECT_EQ(store_->local_path(hash).error().code, Code::kNotFound);
  EXPECT_TRUE(store_->remove(hash).ok());
}

TEST_F(LocalBlobs, removes) {
  const Hash hash = store_->put("value")->hash;
  EXPECT_TRUE(store_->remove(hash).ok());
  EXPECT_EQ(store_->size(hash).error().code, Code::kNotFound);
  EXPECT_TRUE(store_->put("value").ok());
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
  for (int i = 0; i < 300; ++i) {
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

TEST_F(LocalBlobs, notices_changed_bytes) {
  const Hash hash = store_->put("value")->hash;
  const std::string path = *store_->local_path(hash);
  fs::permissions(path, fs::perms::owner_all);
  std::ofstream(path) << "walue";
  EXPECT_EQ(store_->get(hash).error().code, Code::kDataLoss);
}

TEST_F(LocalBlobs, refuses_to_hold_too_much_in_memory) {
  const Hash hash = store_->put("0123456789")->hash;
  EXPECT_EQ(store_->get(hash, 9).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(store_->get(hash, 10).ok());
}

TEST_F(LocalBlobs, an_error_of_the_reader_ends_the_reading) {
  const Hash hash = store_->put(std::string(1'000'000, 'x'))->hash;
  int pieces = 0;
  const auto read = store_->read(hash, 0, 1'000'000, [&](std::string_view) -> Result<void> {
    ++pieces;
    return cancelled("enough");
  });
  EXPECT_EQ(read.error().code, Code::kCancelled);
  EXPECT_EQ(pieces, 1);
}

TEST_F(LocalBlobs, threads_may_put_the_same_values_at_once) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) EXPECT_TRUE(store_->put("value " + std::to_string(i)).ok());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(files_in("objects"), 25U);
  EXPECT_EQ(files_in("tmp"), 0U);
}

TEST(BlobUrl, names_what_it_expects) {
  EXPECT_EQ(open("ftp:x").error().code, Code::kInvalidArgument);
  EXPECT_EQ(open("file:").error().code, Code::kInvalidArgument);
}

void put_for_ever(const std::string& directory, std::uint64_t seed,
                  const std::function<void(std::string_view)>& tell) {
  auto store = open_local(directory);
  SeededRandom random(seed);
  while (store.ok()) {
    const std::string value(random.below(200'000), static_cast<char>('a' + random.below(26)));
    const auto put = (*store)->put(value + std::to_string(random.next()));
    if (!put.ok()) return;
    tell(put->hash);
  }
}

TEST_F(LocalBlobs, everything_acknowledged_survives_kill_9_and_nothing_half_done_shows) {
  SeededRandom random(7);
  std::vector<Hash> acknowledged;
  for (std::uint64_t round = 0; round < 8; ++round) {
    const auto lines = kill_in_the_middle(1 + random.below(12), [&](const auto& tell) {
      put_for_ever(root().string(), round, tell);
    });
    acknowledged.insert(acknowledged.end(), lines.begin(), lines.end());
  }
  EXPECT_GE(acknowledged.size(), 8U);
  reopen();
  EXPECT_EQ(files_in("tmp"), 0U);
  for (const auto& hash : acknowledged) EXPECT_TRUE(store_->get(hash).ok()) << hash;
  for (const auto& entry : fs::recursive_directory_iterator(root() / "objects")) {
    if (!entry.is_regular_file()) continue;
    const auto& path = entry.path();
    EXPECT_EQ(*hash_file(path), path.parent_path().filename().string() + path.filename().string());
  }
}

}  // namespace
}  // namespace ciclo::blob
