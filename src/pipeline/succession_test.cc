// SPDX-License-Identifier: Apache-2.0
#include "pipeline/succession.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "pipeline/test_system.h"

namespace ciclo::pipeline {
namespace {

class TwoServers : public testing::Test {
 protected:
  // What `owner`'s engine writes when it begins to drive.
  std::int64_t take_over(const std::string& owner) {
    return *database_->transact([&](sql::Txn& txn) -> Result<std::int64_t> {
      return store::take_over(txn, owner, clock_.now_ms());
    });
  }
  bool beat(std::int64_t engine) {
    return database_->transaction([&](sql::Txn& txn) { return store::beat(txn, engine); }).ok();
  }

  TemporaryDirectory folder_;
  SimClock clock_;
  std::unique_ptr<sql::Database> database_ =
      open_test_database("sqlite:" + (folder_.path() / "ciclo.db").string());
  Succession a_{*database_, clock_, "a", 15'000};
  Succession b_{*database_, clock_, "b", 15'000};
};

TEST_F(TwoServers, a_new_database_is_free_for_all) {
  EXPECT_TRUE(*a_.is_free());
  EXPECT_TRUE(*b_.is_free());
}

TEST_F(TwoServers, a_server_follows_itself_at_once) {
  take_over("a");
  EXPECT_TRUE(*a_.is_free());
}

TEST_F(TwoServers, another_waits_until_the_beat_stands_still) {
  const auto engine = take_over("a");
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(*b_.is_free());
    clock_.advance_ms(2'000);
    EXPECT_TRUE(beat(engine));
  }
  EXPECT_FALSE(*b_.is_free());
  clock_.advance_ms(14'999);
  EXPECT_FALSE(*b_.is_free());
  clock_.advance_ms(1);
  EXPECT_TRUE(*b_.is_free());
}

TEST_F(TwoServers, an_engine_that_ends_lets_go) {
  const auto engine = take_over("a");
  EXPECT_FALSE(*b_.is_free());
  ASSERT_TRUE(
      database_->transaction([&](sql::Txn& txn) { return store::release(txn, engine); }).ok());
  EXPECT_TRUE(*b_.is_free());
}

class IdleRunner final : public Runner {
 public:
  void resolve(StepOrder) override {}
  void start(StepOrder) override {}
  void stop(const ExecutionId&) override {}
  Result<void> discard(const std::vector<Leftover>&) override { return {}; }
};

// What its steps and monitors do goes on until they have ended, which they do after its thread.
TEST_F(TwoServers, an_engine_lets_go_when_it_is_told_that_its_work_has_ended) {
  events::Log events(*database_, clock_);
  SeededRandom random(1);
  IdSource ids(clock_, random);
  IdleRunner runner;
  Engine engine(*database_, events, clock_, random, ids, {.owner = "a"});
  ASSERT_TRUE(*engine.open_if_free(runner));
  engine.start_thread();
  engine.stop_thread();
  EXPECT_FALSE(*b_.is_free());
  engine.release();
  EXPECT_TRUE(*b_.is_free());
}

TEST_F(TwoServers, one_that_was_followed_beats_no_more) {
  const auto engine = take_over("a");
  take_over("b");
  EXPECT_FALSE(beat(engine));
  EXPECT_FALSE(*a_.is_free());
  // Nor does it let go of what is another's.
  EXPECT_TRUE(
      database_->transaction([&](sql::Txn& txn) { return store::release(txn, engine); }).ok());
  EXPECT_FALSE(*a_.is_free());
}

TEST_F(TwoServers, whoever_has_no_name_follows_all) {
  take_over("a");
  Succession nameless(*database_, clock_, "", 15'000);
  EXPECT_TRUE(*nameless.is_free());
}

}  // namespace
}  // namespace ciclo::pipeline
