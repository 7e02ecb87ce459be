// SPDX-License-Identifier: Apache-2.0
#include "data/datasets.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json_fields.h"
#include "sql/test_database.h"

namespace ciclo::data {
namespace {

struct Catalog : testing::TestWithParam<sql::Engine> {
  TemporaryDirectory directory;
  sql::TestDatabase database{GetParam()};
  SimClock clock;
  Engine engine{clock};
  events::Log events{*database, clock};
  std::unique_ptr<blob::Store> blobs = *blob::open_local(path("blobs"));
  DataSets data_sets{*database, events, clock, *blobs, engine, path("work")};
  Context context;

  Catalog() {
    std::vector<sql::Migration> migrations;
    for (const auto& part : {events::schema(), schema()})
      migrations.insert(migrations.end(), part.begin(), part.end());
    EXPECT_TRUE(sql::migrate(*database, migrations).ok());
  }
  std::string path(std::string_view name) const { return directory.path() / name; }
  std::string write(std::string_view name, std::string_view content) const {
    EXPECT_TRUE(write_file_durably(path(name), content).ok());
    return path(name);
  }
  Registered add(std::string_view name, std::string_view content) {
    auto added = data_sets.add(context, name, {write("in.csv", content)});
    EXPECT_TRUE(added.ok()) << (added.ok() ? "" : added.error().message);
    return added.ok() ? *added : Registered{};
  }
};

TEST_P(Catalog, numbers_versions_by_content) {
  const auto first = add("flights", "a,b\n1,x\n2,y\n");
  EXPECT_TRUE(first.created);
  EXPECT_EQ(first.version.number, 1);
  EXPECT_EQ(first.version.rows, 2);
  EXPECT_GT(first.version.bytes, 0);
  EXPECT_EQ(first.version.statistics.columns[0].max, 2);
  EXPECT_EQ(first.version.schema.columns[1].type, ColumnType::kText);
  EXPECT_EQ(first.version.source.find("files")->items()[0].string(), path("in.csv"));
  clock.advance_ms(5);
  EXPECT_EQ(add("flights", "a,b\n1,x\n").version.number, 2);
  const auto again = add("flights", "a,b\n1,x\n2,y\n");
  EXPECT_FALSE(again.created);
  EXPECT_EQ(again.version.number, 1);
  EXPECT_EQ(again.version.hash, first.version.hash);
  EXPECT_EQ(again.version.statistics.rows, 2);
  EXPECT_EQ(data_sets.find(context, "flights")->latest, 2);
  // The same content under another name is another data set's first version.
  EXPECT_EQ(add("planes", "a,b\n1,x\n2,y\n").version.number, 1);
  EXPECT_EQ(events.read_after(0, 10)->size(), 3U);
}

TEST_P(Catalog, finds_versions_by_number_latest_and_hash) {
  const auto first = add("flights", "a\n1\n").version;
  const auto second = add("flights", "a\n2\n").version;
  EXPECT_EQ(data_sets.get(context, "flights")->hash, second.hash);
  EXPECT_EQ(data_sets.get(context, "flights", "1")->hash, first.hash);
  EXPECT_EQ(data_sets.get(context, "flights", first.hash.substr(0, 10))->number, 1);
  EXPECT_EQ(data_sets.get(context, "flights", first.hash)->statistics.rows, 1);
  const auto refusal = [&](std::string_view name, std::string_view version) {
    return data_sets.get(context, name, version).error();
  };
  EXPECT_EQ(refusal("flights", "3").message,
            "data set \"flights\" has no version \"3\"; its latest is 2");
  EXPECT_EQ(refusal("flights", "3").code, Code::kNotFound);
  EXPECT_EQ(refusal("flight", "1").message,
            "there is no data set \"flight\"; did you mean \"flights\"?");
  EXPECT_EQ(refusal("flights", "newest").code, Code::kInvalidArgument);
  Context other = context;
  other.workspace = "other";
  EXPECT_EQ(data_sets.get(other, "flights").error().code, Code::kNotFound);
}

TEST_P(Catalog, lists_names_and_logs_versions) {
  add("b", "x\n1\n");
  add("a", "x\n1\n");
  add("a", "x\n2\n");
  add("a", "x\n3\n");
  const auto sets = data_sets.list(context);
  ASSERT_EQ(sets->size(), 2U);
  EXPECT_EQ((*sets)[0].name, "a");
  EXPECT_EQ(data_sets.list(context, "a", 5)->size(), 1U);
  const auto log = data_sets.log(context, "a", 2);
  ASSERT_EQ(log->size(), 2U);
  EXPECT_EQ((*log)[0].number, 3);
  EXPECT_EQ(data_sets.log(context, "a", 2, 2)->at(0).number, 1);
  EXPECT_FALSE(data_sets.log(context, "c").ok());
}

TEST_P(Catalog, registers_what_a_pipeline_wrote_in_its_transaction) {
  ASSERT_TRUE(
      engine.write_parquet(context, {}, "SELECT range AS i FROM range(7)", path("p.parquet")).ok());
  const auto content = data_sets.store_files(context, {path("p.parquet")});
  ASSERT_TRUE(content.ok()) << content.error().message;
  EXPECT_EQ(content->rows, 7);
  // What is rolled back is not there, and its event neither.
  EXPECT_FALSE(
      database
          ->transaction([&](sql::Txn& txn) -> Result<void> {
            TRY(data_sets.register_version(txn, context, "train", *content, json::Value::object()));
            return failed_precondition("something else failed");
          })
          .ok());
  EXPECT_FALSE(data_sets.find(context, "train").ok());
  EXPECT_TRUE(events.read_after(0, 10)->empty());
  const auto registered = database->transact([&](sql::Txn& txn) {
    return data_sets.register_version(txn, context, "train", *content,
                                      json::Value::object({{"pipeline_run_id", "p1"}}),
                                      "artifact1");
  });
  ASSERT_TRUE(registered.ok()) << registered.error().message;
  const auto version = data_sets.get(context, "train");
  EXPECT_EQ(version->artifact_id, "artifact1");
  EXPECT_EQ(version->source.string_or("pipeline_run_id", ""), "p1");
  const auto seen = events.read_after(0, 10);
  ASSERT_EQ(seen->size(), 1U);
  EXPECT_EQ(seen->at(0).kind, "dataset.version_created");
  EXPECT_EQ(seen->at(0).subject, "train");
  EXPECT_EQ(seen->at(0).body.integer_or("version", 0), 1);
  const auto table = data_sets.table(*version, "t");
  ASSERT_TRUE(table.ok());
  EXPECT_EQ(*engine.query_integer(context, {*table}, "SELECT sum(i)::BIGINT AS n FROM t"), 21);
}

TEST_P(Catalog, leaves_nothing_behind_a_refused_file) {
  EXPECT_FALSE(data_sets.add(context, "bad", {write("bad.csv", "a,b\n1,2\n3\n")}).ok());
  EXPECT_FALSE(data_sets.add(context, "no name!", {write("ok.csv", "a,b\n1,2\n")}).ok());
  EXPECT_TRUE(std::filesystem::is_empty(path("work")));
  EXPECT_TRUE(data_sets.list(context)->empty());
  EXPECT_TRUE(events.read_after(0, 10)->empty());
}

TEST_P(Catalog, version_survives_as_json) {
  const auto version = add("flights", "a,b\n1,x\n2,\n").version;
  const auto back = json::read<DataSetVersion>(json::write(version));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(json::write(*back), json::write(version));
}

INSTANTIATE_TEST_SUITE_P(Engines, Catalog, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

TEST(CatalogCrash, kill_leaves_whole_versions_only) {
  // A child adds versions until it is killed in the middle; what the parent then finds must be
  // complete.
  TemporaryDirectory directory;
  const auto path = [&](std::string_view name) { return (directory.path() / name).string(); };
  const auto with_catalog = [&](const std::function<void(DataSets&, Engine&)>& body) {
    SystemClock clock;
    auto database = sql::open("sqlite:" + path("ciclo.db"));
    CHECK(database.ok());
    std::vector<sql::Migration> migrations;
    for (const auto& part : {events::schema(), schema()})
      migrations.insert(migrations.end(), part.begin(), part.end());
    CHECK(sql::migrate(**database, migrations).ok());
    auto blobs = blob::open_local(path("blobs"));
    CHECK(blobs.ok());
    Engine engine(clock);
    events::Log events(**database, clock);
    DataSets data_sets(**database, events, clock, **blobs, engine, path("work"));
    body(data_sets, engine);
  };
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    with_catalog([&](DataSets& data_sets, Engine&) {
      for (int i = 0; i < 1000; ++i) {
        CHECK(write_file_durably(path("in.csv"), "a\n" + std::to_string(i) + "\n").ok());
        CHECK(data_sets.add({}, "t", {path("in.csv")}).ok());
        CHECK(::write(ready[1], "x", 1) == 1);
      }
    });
    _exit(0);
  }
  char byte = 0;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  with_catalog([&](DataSets& data_sets, Engine& engine) {
    const auto log = data_sets.log({}, "t", 1000);
    ASSERT_TRUE(log.ok());
    ASSERT_GE(log->size(), 3U);
    for (const auto& version : *log) {
      const auto table = data_sets.table(version, "t");
      ASSERT_TRUE(table.ok());
      EXPECT_EQ(*engine.query_integer({}, {*table}, "SELECT count(*) AS n FROM t"), version.rows);
    }
  });
}

}  // namespace
}  // namespace ciclo::data
