// SPDX-License-Identifier: Apache-2.0
#include "steps/champion.h"

#include <gtest/gtest.h>

#include "sql/test_database.h"

namespace ciclo::steps {
namespace {

class ChampionTest : public testing::TestWithParam<sql::Engine> {
 protected:
  ChampionTest() {
    std::vector<sql::Migration> migrations(events::schema().begin(), events::schema().end());
    migrations.insert(migrations.end(), registry::schema().begin(), registry::schema().end());
    const auto migrated = sql::migrate(*database_, migrations);
    EXPECT_TRUE(migrated.ok()) << migrated.error().message;
    EXPECT_TRUE(registry_.ensure_model(context_, "churn").ok());
  }

  registry::ModelVersion add(const std::string& hash) {
    registry::NewModelVersion version{.name = "churn", .source = "s3://b/p"};
    if (!hash.empty()) version.tags = {{kArtifactHashTag, hash}};
    return registry_.create_version(context_, version).value();
  }
  std::optional<registry::ModelVersion> champion() {
    return registry_.find_by_alias(context_, "churn", kChampion).value();
  }
  // As a deploy step does it after its gate.
  void deploy(const registry::ModelVersion& version, const std::string& judged_against) {
    ASSERT_TRUE(promote(registry_, context_, version, champion(), judged_against, "test").ok());
    ASSERT_TRUE(
        declare(registry_, context_, "churn", {artifact_hash(version), judged_against}).ok());
  }
  void move_by_hand(const registry::ModelVersion& version) {
    ASSERT_TRUE(registry_.set_alias(context_, "churn", kChampion, version.version).ok());
  }
  std::string opponent_of(const std::string& hash) {
    return opponent(registry_, context_, "churn", hash).value().identity;
  }

  Context context_;
  SimClock clock_;
  sql::TestDatabase database_{GetParam()};
  events::Log events_{*database_, clock_};
  registry::Registry registry_{*database_, events_, clock_};
};

INSTANTIATE_TEST_SUITE_P(Engines, ChampionTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST_P(ChampionTest, a_version_is_found_by_the_content_it_was_made_from) {
  add("aa");
  add("");
  const auto found = version_of_artifact(registry_, context_, "churn", "aa").value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->version, 1);
  EXPECT_FALSE(version_of_artifact(registry_, context_, "churn", "bb").value().has_value());
  EXPECT_FALSE(version_of_artifact(registry_, context_, "other", "aa").value().has_value());
}

TEST_P(ChampionTest, a_new_model_is_compared_with_the_champion) {
  EXPECT_EQ(opponent_of("aa"), kNobody);
  deploy(add("aa"), kNobody);
  EXPECT_EQ(opponent_of("bb"), "aa");
  move_by_hand(add(""));
  EXPECT_EQ(opponent_of("bb"), "version 2");
}

// Whatever was promoted since: the declared model keeps the decision that promoted it.
TEST_P(ChampionTest, the_declared_model_keeps_its_opponent) {
  deploy(add("aa"), kNobody);
  EXPECT_EQ(opponent_of("aa"), kNobody);
  deploy(add("bb"), "aa");
  move_by_hand(add("retrained"));
  EXPECT_EQ(opponent_of("bb"), "aa");
  EXPECT_EQ(opponent_of("aa"), "retrained") << "it is not declared any more";
  EXPECT_EQ(opponent_of("retrained"), "bb") << "the champion meets the one before it";
}

TEST_P(ChampionTest, an_opponent_without_an_artifact_is_found_by_its_number) {
  add("");
  move_by_hand(add(""));
  deploy(add("aa"), "version 2");
  const auto found = opponent(registry_, context_, "churn", "aa").value();
  EXPECT_EQ(found.identity, "version 2");
  ASSERT_TRUE(found.version.has_value());
  EXPECT_EQ(found.version->version, 2);
  EXPECT_EQ(found.obstacle, "");
}

TEST_P(ChampionTest, an_opponent_that_is_gone_is_an_obstacle_and_not_nobody) {
  deploy(add("aa"), kNobody);
  EXPECT_EQ(opponent(registry_, context_, "churn", "aa")->obstacle, "");
  deploy(add("bb"), "aa");
  ASSERT_TRUE(registry_.delete_version(context_, "churn", 1).ok());
  EXPECT_EQ(opponent(registry_, context_, "churn", "bb")->obstacle,
            "the champion that it was judged against when it was deployed (aa) is not in the "
            "registry any more");
  move_by_hand(add(""));
  deploy(add("cc"), "version 3");
  ASSERT_TRUE(registry_.delete_version(context_, "churn", 3).ok());
  EXPECT_FALSE(opponent(registry_, context_, "churn", "cc")->version.has_value());
  EXPECT_NE(opponent(registry_, context_, "churn", "cc")->obstacle, "");
}

TEST_P(ChampionTest, the_same_content_is_the_same_opponent_under_another_number) {
  deploy(add("aa"), kNobody);
  ASSERT_TRUE(registry_.delete_model(context_, "churn").ok());
  ASSERT_TRUE(registry_.ensure_model(context_, "churn").ok());
  add("x");
  deploy(add("aa"), kNobody);
  EXPECT_EQ(opponent_of("bb"), "aa");
}

TEST_P(ChampionTest, promoting_refuses_when_another_took_the_place_meanwhile) {
  const auto first = add("aa");
  deploy(first, kNobody);
  const auto second = add("bb");
  const auto third = add("cc");
  const auto seen = champion();
  deploy(second, "aa");
  // Judged against the first, and the second is there when it looks.
  auto refused = promote(registry_, context_, third, champion(), "aa", "test");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(refused.error().message,
            "another version of model \"churn\" became champion while version 3 was judged against "
            "the one before; run again to judge it against the new one");
  // The second came between looking and moving.
  refused = promote(registry_, context_, third, seen, "aa", "test");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(champion()->version, 2);
  EXPECT_TRUE(promote(registry_, context_, third, champion(), "bb", "test").ok());
  EXPECT_EQ(champion()->version, 3);
}

TEST_P(ChampionTest, promoting_the_champion_again_changes_nothing) {
  deploy(add("aa"), kNobody);
  EXPECT_TRUE(promote(registry_, context_, *champion(), champion(), kNobody, "test").ok());
  EXPECT_EQ(registry_.alias_history(context_, "churn", kChampion).value().size(), 1U);
}

}  // namespace
}  // namespace ciclo::steps
