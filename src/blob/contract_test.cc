// SPDX-License-Identifier: Apache-2.0
//
// What every store promises, run over all that are available: the local one always, S3 when
// CICLO_TEST_S3_ENDPOINT names a server (tests/tools/s3.py starts one).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/killed_process.h"
#include "base/random.h"
#include "blob/store.h"
#include "blob/test_stores.h"

namespace ciclo::blob {
namespace {

namespace fs = std::filesystem;

class Blobs : public testing::TestWithParam<std::string> {
 protected:
  Blobs() : place_(test_place(GetParam())) { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = place_->open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened).value();
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

  const std::unique_ptr<TestPlace> place_;
  std::unique_ptr<Store> store_;
};

TEST_P(Blobs, gives_back_what_was_put) {
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

TEST_P(Blobs, reads_ranges) {
  const auto hash = store_->put("0123456789")->hash;
  EXPECT_EQ(read_range(hash, 0, 3), "012");
  EXPECT_EQ(read_range(hash, 7, 100), "789");
  EXPECT_EQ(read_range(hash, 10, 1), "");
  EXPECT_EQ(read_range(hash, 99, 1), "");
  EXPECT_EQ(read_range(hash, 5, 0), "");
}

TEST_P(Blobs, stores_empty_values) {
  const auto put = store_->put("");
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(*store_->get(put->hash), "");
}

TEST_P(Blobs, stores_the_same_bytes_once) {
  const auto first = store_->put("same");
  const auto second = store_->put("same");
  EXPECT_EQ(first->hash, second->hash);
  EXPECT_EQ(place_->objects().size(), 1U);
  EXPECT_EQ(place_->files_being_written(), 0U);
}

TEST_P(Blobs, stores_files) {
  const TemporaryDirectory folder;
  const auto file = folder.path() / "f";
  ASSERT_TRUE(write_file_durably(file, "content").ok());
  EXPECT_EQ(store_->put_file(file.string())->hash, hash_bytes("content"));
  EXPECT_EQ(store_->put_file((folder.path() / "none").string()).error().code, Code::kNotFound);
}

TEST_P(Blobs, a_writer_without_commit_leaves_nothing) {
  {
    const auto writer = store_->create();
    ASSERT_TRUE((*writer)->write(std::string(300'000, 'h')).ok());
    EXPECT_EQ(place_->files_being_written(), 1U);
  }
  EXPECT_EQ(place_->files_being_written(), 0U);
  EXPECT_EQ(place_->objects().size(), 0U);
}

TEST_P(Blobs, takes_nothing_but_hashes_for_paths) {
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

TEST_P(Blobs, a_missing_value_is_not_found) {
  const Hash hash = hash_bytes("nobody put this");
  EXPECT_EQ(store_->get(hash).error().code, Code::kNotFound);
  EXPECT_EQ(store_->local_path(hash).error().code, Code::kNotFound);
  EXPECT_TRUE(store_->remove(hash).ok());
}

TEST_P(Blobs, removes) {
  const Hash hash = store_->put("value")->hash;
  EXPECT_TRUE(store_->remove(hash).ok());
  EXPECT_EQ(store_->size(hash).error().code, Code::kNotFound);
  EXPECT_TRUE(store_->put("value").ok());
}

TEST_P(Blobs, notices_changed_bytes) {
  const Hash hash = store_->put("value")->hash;
  place_->overwrite(hash, "walue");
  EXPECT_EQ(store_->get(hash).error().code, Code::kDataLoss);
}

TEST_P(Blobs, lists_what_is_stored) {
  std::map<Hash, std::uint64_t> expected;
  for (const std::string value : {"", "a", "four"})
    expected[store_->put(value)->hash] = value.size();
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

TEST_P(Blobs, removes_what_nobody_touched_since_a_time) {
  const std::int64_t now_ms = SystemClock().now_ms();
  const Hash hash = store_->put("value")->hash;
  EXPECT_FALSE(*store_->remove_untouched(hash, now_ms - 60'000));
  EXPECT_EQ(*store_->touch(hash), 5U);
  EXPECT_EQ(*store_->get(hash), "value");
  EXPECT_TRUE(*store_->remove_untouched(hash, now_ms + 60'000));
  EXPECT_EQ(store_->size(hash).error().code, Code::kNotFound);
  EXPECT_EQ(store_->touch(hash).error().code, Code::kNotFound);
  EXPECT_FALSE(*store_->remove_untouched(hash, now_ms + 60'000));
}

TEST_P(Blobs, refuses_to_hold_too_much_in_memory) {
  const Hash hash = store_->put("0123456789")->hash;
  EXPECT_EQ(store_->get(hash, 9).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(store_->get(hash, 10).ok());
}

TEST_P(Blobs, an_error_of_the_reader_ends_the_reading) {
  const Hash hash = store_->put(std::string(1'000'000, 'x'))->hash;
  int pieces = 0;
  const auto read = store_->read(hash, 0, 1'000'000, [&](std::string_view) -> Result<void> {
    ++pieces;
    return cancelled("enough");
  });
  EXPECT_EQ(read.error().code, Code::kCancelled);
  EXPECT_EQ(pieces, 1);
}

TEST_P(Blobs, threads_may_put_the_same_values_at_once) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 25; ++i) EXPECT_TRUE(store_->put("value " + std::to_string(i)).ok());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(place_->objects().size(), 25U);
  EXPECT_EQ(place_->files_being_written(), 0U);
}

void put_for_ever(TestPlace& place, std::uint64_t seed,
                  const std::function<void(std::string_view)>& tell) {
  auto store = place.open();
  SeededRandom random(seed);
  while (store.ok()) {
    const std::string value(random.below(600'000), static_cast<char>('a' + random.below(26)));
    const auto put = (*store)->put(value + std::to_string(random.next()));
    if (!put.ok()) return;
    tell(put->hash);
  }
}

std::string problem(const Result<std::string>& got) { return got.ok() ? "" : got.error().message; }

TEST_P(Blobs, everything_acknowledged_survives_kill_9_and_nothing_half_done_shows) {
  SeededRandom random(7);
  std::vector<Hash> acknowledged;
  for (std::uint64_t round = 0; round < 8; ++round) {
    const auto lines = kill_in_the_middle(
        1 + random.below(12), [&](const auto& tell) { put_for_ever(*place_, round, tell); });
    acknowledged.insert(acknowledged.end(), lines.begin(), lines.end());
  }
  EXPECT_GE(acknowledged.size(), 8U);
  reopen();
  EXPECT_EQ(place_->files_being_written(), 0U);
  for (const auto& hash : acknowledged) EXPECT_EQ(problem(store_->get(hash)), "") << hash;
  // Read whole, a value is checked against its hash.
  for (const auto& hash : place_->objects()) EXPECT_EQ(problem(store_->get(hash)), "") << hash;
}

TEST_P(Blobs, a_local_file_is_read_only) {
  const std::string value(400'000, 'v');
  const auto path = store_->local_path(store_->put(value)->hash);
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(*read_file(*path), value);
  EXPECT_EQ(fs::status(*path).permissions() & fs::perms::owner_write, fs::perms::none);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Blobs, testing::ValuesIn(test_stores()),
                         [](const auto& kind) { return kind.param; });

}  // namespace
}  // namespace ciclo::blob
