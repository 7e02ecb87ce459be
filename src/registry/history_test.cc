// SPDX-License-Identifier: Apache-2.0
#include "registry/history.h"

#include <gtest/gtest.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "events/log.h"
#include "registry/registry.h"
#include "registry/store_records.h"
#include "sql/test_database.h"

namespace ciclo::registry {
namespace {

class HistoryTest : public testing::TestWithParam<sql::Engine> {
 protected:
  HistoryTest() {
    for (const auto module : {events::schema(), schema()}) {
      const auto migrated = sql::migrate(*database, module);
      EXPECT_TRUE(migrated.ok()) << migrated.error().message;
    }
    context.caller = "ann";
  }

  // The moment before which something is done; each is a second after the one before.
  std::int64_t tick() {
    clock.advance_ms(1'000);
    return clock.now_ms() - 1;
  }
  void add_version(const std::string& name = "churn") {
    const auto made =
        registry.create_version(context, {.name = name, .source = "s3://models/1", .run_id = "r1"});
    EXPECT_TRUE(made.ok()) << made.error().message;
  }
  // "churn: 1 2[Staging] champion=2", "-" when there is none.
  std::string at(std::int64_t time_ms, const std::string& name = "churn") {
    const auto model = history.model_at(context, name, time_ms);
    if (!model.ok()) return model.error().code == Code::kNotFound ? "-" : model.error().message;
    std::string out = model->name + ":";
    for (const auto& [number, version] : model->versions) {
      out += " " + std::to_string(number);
      if (version.stage != "None") out += "[" + version.stage + "]";
    }
    for (const auto& [alias, version] : model->aliases) {
      out += " " + alias + "=" + std::to_string(version);
    }
    return out;
  }
  std::vector<std::string> kinds(const std::string& name) {
    std::vector<std::string> all;
    const auto changes = history.changes(context, name, 100);
    EXPECT_TRUE(changes.ok()) << changes.error().message;
    for (const auto& change : *changes) all.push_back(change.kind);
    return all;
  }

  Context context;
  SimClock clock;
  sql::TestDatabase database{GetParam()};
  events::Log log{*database, clock};
  Registry registry{*database, log, clock};
  History history{*database};
};

TEST_P(HistoryTest, tells_how_a_model_stood_at_every_moment) {
  const auto before = tick();
  ASSERT_TRUE(registry.create_model(context, "churn", "", {}).ok());
  const auto made = tick();
  add_version();
  const auto first = tick();
  ASSERT_TRUE(registry.set_alias(context, "churn", "champion", 1).ok());
  add_version();
  const auto second = tick();
  ASSERT_TRUE(registry.set_alias(context, "churn", "champion", 2).ok());
  ASSERT_TRUE(registry.set_stage(context, "churn", 2, Stage::kStaging, StageOthers::kKeep).ok());
  const auto moved = tick();
  ASSERT_TRUE(registry.delete_version(context, "churn", 2).ok());
  const auto deleted = tick();
  ASSERT_TRUE(registry.delete_model(context, "churn").ok());
  const auto gone = tick();
  EXPECT_EQ(at(before), "-");
  EXPECT_EQ(at(made), "churn:");
  EXPECT_EQ(at(first), "churn: 1");
  EXPECT_EQ(at(second), "churn: 1 2 champion=1");
  EXPECT_EQ(at(moved), "churn: 1 2[Staging] champion=2");
  EXPECT_EQ(at(deleted), "churn: 1");
  EXPECT_EQ(at(gone), "-");
  const auto past = history.model_at(context, "churn", moved);
  EXPECT_EQ(past->versions.at(2).source, "s3://models/1");
  EXPECT_EQ(past->versions.at(2).run_id, "r1");
  EXPECT_EQ(history.models_at(context, moved)->size(), 1U);
  EXPECT_TRUE(history.models_at(context, gone)->empty());
}

TEST_P(HistoryTest, a_change_holds_from_its_own_millisecond_on) {
  ASSERT_TRUE(registry.create_model(context, "churn", "", {}).ok());
  EXPECT_EQ(at(clock.now_ms()), "churn:");
  EXPECT_EQ(at(clock.now_ms() - 1), "-");
}

TEST_P(HistoryTest, a_model_is_found_by_the_name_it_had_then) {
  ASSERT_TRUE(registry.create_model(context, "old", "", {}).ok());
  add_version("old");
  const auto as_old = tick();
  ASSERT_TRUE(registry.rename_model(context, "old", "new").ok());
  const auto as_new = tick();
  ASSERT_TRUE(registry.create_model(context, "old", "", {}).ok());
  const auto another = tick();
  EXPECT_EQ(at(as_old, "old"), "old: 1");
  EXPECT_EQ(at(as_old, "new"), "-");
  EXPECT_EQ(at(as_new, "old"), "-");
  EXPECT_EQ(at(as_new, "new"), "new: 1");
  EXPECT_EQ(at(another, "old"), "old:");
  EXPECT_EQ(history.models_at(context, another)->size(), 2U);
}

TEST_P(HistoryTest, the_versions_that_are_archived_beside_are_told_too) {
  ASSERT_TRUE(registry.create_model(context, "churn", "", {}).ok());
  add_version();
  add_version();
  ASSERT_TRUE(registry.set_stage(context, "churn", 1, Stage::kProduction, StageOthers::kKeep).ok());
  const auto before = tick();
  ASSERT_TRUE(
      registry.set_stage(context, "churn", 2, Stage::kProduction, StageOthers::kArchive).ok());
  EXPECT_EQ(at(before), "churn: 1[Production] 2");
  EXPECT_EQ(at(clock.now_ms()), "churn: 1[Archived] 2[Production]");
}

TEST_P(HistoryTest, tells_who_did_what_newest_first) {
  ASSERT_TRUE(registry.create_model(context, "churn", "", {}).ok());
  tick();
  add_version();
  tick();
  context.caller = "bob";
  ASSERT_TRUE(registry.set_alias(context, "churn", "champion", 1, {}, "auc 0.9 > 0.8").ok());
  tick();
  ASSERT_TRUE(registry.delete_model(context, "churn").ok());
  EXPECT_EQ(kinds("churn"), (std::vector<std::string>{"alias.moved", "model.deleted", "alias.moved",
                                                      "version.created", "model.created"}));
  const auto changes = history.changes(context, "churn", 100);
  EXPECT_EQ(changes->at(2).caller, "bob");
  EXPECT_EQ(changes->at(2).alias, "champion");
  EXPECT_EQ(changes->at(2).version, 1);
  EXPECT_EQ(changes->at(2).reason, "auc 0.9 > 0.8");
  EXPECT_EQ(changes->at(3).caller, "ann");
  EXPECT_EQ(history.changes(context, "churn", 2)->size(), 2U);
  EXPECT_EQ(history.changes(context, "none", 2).error().code, Code::kNotFound);
}

TEST_P(HistoryTest, other_workspaces_have_a_past_of_their_own) {
  ASSERT_TRUE(registry.create_model(context, "churn", "", {}).ok());
  add_version();
  ASSERT_TRUE(registry.set_alias(context, "churn", "champion", 1).ok());
  context.workspace = "other";
  EXPECT_EQ(at(clock.now_ms()), "-");
  EXPECT_TRUE(history.models_at(context, clock.now_ms())->empty());
}

TEST_P(HistoryTest, what_came_from_another_server_has_the_past_that_its_rows_tell) {
  store::ModelRecord record;
  record.model = {.name = "churn", .created_ms = 1'000, .aliases = {{"champion", 1}}};
  record.last_version = 1;
  record.versions = {{.name = "churn",
                      .version = 1,
                      .created_ms = 2'000,
                      .updated_ms = 3'000,
                      .stage = Stage::kStaging}};
  const auto copied = database->transaction([&](sql::Txn& txn) {
    return store::insert_record(txn, context.workspace, record, "copied", clock.now_ms());
  });
  ASSERT_TRUE(copied.ok()) << copied.error().message;
  EXPECT_EQ(at(999), "-");
  EXPECT_EQ(at(1'000), "churn:");
  EXPECT_EQ(at(2'999), "churn: 1");
  EXPECT_EQ(at(3'000), "churn: 1[Staging]");
  EXPECT_EQ(at(clock.now_ms()), "churn: 1[Staging] champion=1");
}

// What a database holds that was written before the past was kept.
TEST_P(HistoryTest, an_older_database_begins_with_what_stands_in_it) {
  sql::TestDatabase old{GetParam()};
  ASSERT_TRUE(sql::migrate(*old, events::schema()).ok());
  ASSERT_TRUE(sql::migrate(*old, schema().first(2)).ok());
  const auto filled = old->transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(txn.execute(R"(
        INSERT INTO registered_models (workspace, name, description, last_version, created_ms,
          updated_ms) VALUES ('default', 'churn', '', 2, 1000, 5000))"));
    for (const std::int64_t version : {1, 2}) {
      TRY(txn.execute(R"(
          INSERT INTO model_versions (model_number, version, description, user_id, source,
            storage_uri, run_id, run_link, model_id, created_ms, updated_ms, stage)
          SELECT model_number, $1, '', 'ann', 's3://m', 's3://m', 'r1', '', '', 2000, 4000,
            $2 FROM registered_models)",
                      {version, std::string_view(version == 2 ? "Production" : "None")}));
    }
    TRY(txn.execute(R"(
        INSERT INTO alias_moves (model_number, name, alias, version, previous, time_ms, caller,
          reason) SELECT model_number, name, 'champion', 1, NULL, 3000, 'ann', ''
        FROM registered_models)"));
    return {};
  });
  ASSERT_TRUE(filled.ok()) << filled.error().message;
  ASSERT_TRUE(sql::migrate(*old, schema()).ok());
  History past(*old);
  const auto stages = [&](std::int64_t time_ms) {
    const auto model = past.model_at(context, "churn", time_ms);
    return model.ok() && model->versions.contains(2) ? model->versions.at(2).stage : "-";
  };
  EXPECT_EQ(stages(999), "-");
  EXPECT_EQ(stages(1999), "-");
  EXPECT_EQ(stages(3999), "None");
  EXPECT_EQ(stages(4000), "Production");
  EXPECT_EQ(past.model_at(context, "churn", 2999)->aliases.size(), 0U);
  EXPECT_EQ(past.model_at(context, "churn", 3000)->aliases.at("champion"), 1);
  EXPECT_EQ(past.changes(context, "churn", 100)->size(), 5U);
}

INSTANTIATE_TEST_SUITE_P(Engines, HistoryTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::registry
