// SPDX-License-Identifier: Apache-2.0
#include "lineage/lineage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "sql/test_database.h"

namespace ciclo::lineage {
namespace {

namespace fs = std::filesystem;

class LineageTest : public testing::TestWithParam<sql::Engine> {
 protected:
  LineageTest() {
    EXPECT_TRUE(sql::migrate(*database_, schema()).ok());
    auto opened = blob::open_local((folder_.path() / "blobs").string());
    EXPECT_TRUE(opened.ok());
    blobs_ = std::move(opened).value();
    lineage_.emplace(*database_, *blobs_, clock_, ids_, Limits{5, 50, 4});
  }

  // A directory with these files below the test's folder.
  fs::path directory(const std::map<std::string, std::string>& files) {
    const fs::path made = folder_.path() / ("dir" + std::to_string(next_++));
    fs::create_directories(made);
    for (const auto& [path, content] : files) {
      EXPECT_TRUE(write_file_durably(made / path, content).ok());
    }
    return made;
  }

  ArtifactId add(std::string_view type, const std::string& content) {
    const auto artifact =
        lineage_->create_artifact(context_, type, directory({{"f", content}}), {});
    EXPECT_TRUE(artifact.ok()) << artifact.error().message;
    return artifact->artifact_id;
  }

  Result<ExecutionId> run(const std::string& name, const std::vector<ArtifactId>& inputs,
                          const std::vector<ArtifactId>& outputs) {
    Execution execution;
    execution.kind = "test";
    execution.name = name;
    execution.state = "succeeded";
    for (const auto& id : inputs) {
      execution.inputs.push_back({"in" + std::to_string(execution.inputs.size()), id});
    }
    for (const auto& id : outputs) {
      execution.outputs.push_back({"out" + std::to_string(execution.outputs.size()), id});
    }
    return database_->transact(
        [&](sql::Txn& txn) { return lineage_->add_execution(context_, txn, execution); });
  }

  static std::vector<ArtifactId> ids_of(const Graph& graph) {
    std::vector<ArtifactId> ids;
    for (const auto& artifact : graph.artifacts) ids.push_back(artifact.artifact_id);
    return ids;
  }

  TemporaryDirectory folder_;
  int next_ = 0;
  sql::TestDatabase database_{GetParam()};
  SimClock clock_{1000};
  SeededRandom random_{1};
  IdSource ids_{clock_, random_};
  std::unique_ptr<blob::Store> blobs_;
  std::optional<Lineage> lineage_;
  Context context_;
};

TEST_P(LineageTest, a_directory_comes_back_as_it_was_stored) {
  const auto source = directory({{"a.txt", "one"}, {"deep/er/b", ""}, {"deep/c", "three"}});
  const auto stored =
      lineage_->create_artifact(context_, "report", source, json::Value::object({{"rows", 3}}));
  ASSERT_TRUE(stored.ok()) << stored.error().message;
  EXPECT_EQ(stored->size, 8U);
  EXPECT_EQ(stored->files_count, 3);
  EXPECT_EQ(stored->created_ms, 1000);

  const auto found = lineage_->artifact(context_, stored->artifact_id);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->hash, stored->hash);
  EXPECT_EQ(found->type, "report");
  EXPECT_EQ(found->properties.integer_or("rows", 0), 3);

  const auto tree = lineage_->tree(context_, stored->artifact_id);
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->find("deep/c")->hash, hash_bytes("three"));
  EXPECT_EQ(tree->find("deep"), nullptr);

  const auto target = folder_.path() / "out" / "again";
  const auto written = lineage_->materialise(context_, *tree, target);
  ASSERT_TRUE(written.ok()) << written.error().message;
  EXPECT_EQ(*read_file(target / "a.txt"), "one");
  EXPECT_EQ(*read_file(target / "deep/er/b"), "");
  const auto again = lineage_->store_directory(context_, target);
  EXPECT_EQ(again->hash, stored->hash);
  EXPECT_EQ(lineage_->materialise(context_, *tree, target).error().code, Code::kAlreadyExists);
}

TEST_P(LineageTest, materialised_files_are_read_only) {
  const auto tree = lineage_->store_directory(context_, directory({{"f", "x"}}));
  const auto target = folder_.path() / "out";
  ASSERT_TRUE(lineage_->materialise(context_, *tree, target).ok());
  const auto perms = fs::status(target / "f").permissions();
  EXPECT_EQ(perms & (fs::perms::owner_write | fs::perms::group_write), fs::perms::none);
}

TEST_P(LineageTest, a_tree_with_a_missing_blob_leaves_no_directory) {
  const auto kept = lineage_->store_directory(context_, directory({{"f", "x"}}));
  auto files = kept->files;
  files.push_back({"g", hash_bytes("never stored"), 12});
  const auto tree = lineage_->make_tree(files);
  const auto target = folder_.path() / "parent" / "out";
  EXPECT_EQ(lineage_->materialise(context_, *tree, target).error().code, Code::kNotFound);
  EXPECT_TRUE(fs::is_empty(target.parent_path()));
}

TEST_P(LineageTest, equal_trees_have_equal_hashes_and_other_trees_others) {
  const auto hash = [&](const std::map<std::string, std::string>& files) {
    return lineage_->store_directory(context_, directory(files))->hash;
  };
  EXPECT_EQ(hash({{"a", "1"}, {"b", "2"}}), hash({{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(hash({{"a", "1"}, {"b", "2"}}), hash({{"a", "2"}, {"b", "1"}}));
  EXPECT_NE(hash({{"a", "1"}}), hash({{"a/a", "1"}}));
}

TEST_P(LineageTest, stores_only_plain_files_and_directories) {
  const auto source = directory({{"f", "x"}});
  fs::create_symlink("/etc/passwd", source / "link");
  const auto stored = lineage_->store_directory(context_, source);
  ASSERT_FALSE(stored.ok());
  EXPECT_EQ(stored.error().code, Code::kInvalidArgument);
  EXPECT_NE(stored.error().message.find("\"link\""), std::string::npos);
  EXPECT_EQ(lineage_->store_directory(context_, folder_.path() / "none").error().code,
            Code::kNotFound);
}

TEST_P(LineageTest, limits_the_number_of_files) {
  const auto many = directory({{"1", ""}, {"2", ""}, {"3", ""}, {"4", ""}, {"5", ""}, {"6", ""}});
  EXPECT_EQ(lineage_->store_directory(context_, many).error().code, Code::kResourceExhausted);
}

TEST_P(LineageTest, paths_stay_inside_the_artifact) {
  const std::string hash = hash_bytes("x");
  for (const std::string& path :
       {std::string(), std::string("/etc/passwd"), std::string("../up"), std::string("a/../b"),
        std::string("a//b"), std::string("./a"), std::string("a/"), std::string("a\0b", 3),
        std::string("\xff"), std::string(1025, 'a')}) {
    EXPECT_EQ(lineage_->make_tree({{path, hash, 1}}).error().code, Code::kInvalidArgument) << path;
  }
  EXPECT_EQ(lineage_->make_tree({{"a", hash, 1}, {"a", hash, 1}}).error().code,
            Code::kInvalidArgument);
  EXPECT_TRUE(lineage_->make_tree({{"..a/...", hash, 1}}).ok());
}

TEST_P(LineageTest, answers_where_an_artifact_came_from_and_what_came_of_it) {
  const auto raw = add("dataset", "raw");
  const auto train = add("dataset", "train");
  const auto test = add("dataset", "test");
  const auto model = add("model", "model");
  const auto report = add("report", "report");
  ASSERT_TRUE(run("split", {raw}, {train, test}).ok());
  ASSERT_TRUE(run("train", {train}, {model}).ok());
  ASSERT_TRUE(run("evaluate", {model, test}, {report}).ok());

  const auto up = lineage_->upstream(context_, report, 4);
  ASSERT_TRUE(up.ok()) << up.error().message;
  EXPECT_EQ(ids_of(*up), (std::vector{report, model, test, train, raw}));
  ASSERT_EQ(up->executions.size(), 3U);
  EXPECT_EQ(up->executions[0].name, "evaluate");
  EXPECT_EQ(up->executions[0].inputs[1].artifact_id, test);
  EXPECT_FALSE(up->truncated);

  const auto down = lineage_->downstream(context_, train, 4);
  EXPECT_EQ(ids_of(*down), (std::vector{train, model, report}));
  EXPECT_FALSE(down->truncated);
  EXPECT_EQ(ids_of(*lineage_->upstream(context_, raw, 4)), (std::vector{raw}));

  EXPECT_EQ(lineage_->producer(context_, model)->name, "train");
  EXPECT_EQ(lineage_->producer(context_, raw).error().code, Code::kNotFound);
}

TEST_P(LineageTest, the_depth_limits_a_graph_and_says_so) {
  std::vector<ArtifactId> chain = {add("file", "0")};
  for (int i = 1; i <= 6; ++i) {
    chain.push_back(add("file", std::to_string(i)));
    ASSERT_TRUE(run("step", {chain[chain.size() - 2]}, {chain.back()}).ok());
  }
  const auto two = lineage_->upstream(context_, chain[6], 2);
  EXPECT_EQ(ids_of(*two), (std::vector{chain[6], chain[5], chain[4]}));
  EXPECT_TRUE(two->truncated);
  EXPECT_EQ(lineage_->upstream(context_, chain[6], 1000)->artifacts.size(), 5U) << "depth_max";
  EXPECT_FALSE(lineage_->upstream(context_, chain[3], 3)->truncated);
  EXPECT_TRUE(lineage_->upstream(context_, chain[1], 0)->truncated);
}

TEST_P(LineageTest, the_number_of_artifacts_limits_a_graph) {
  const auto source = add("file", "source");
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(run("use", {source}, {add("file", "same")}).ok());
  const auto down = lineage_->downstream(context_, source, 1);
  EXPECT_EQ(down->artifacts.size(), 50U);
  EXPECT_TRUE(down->truncated);
}

TEST_P(LineageTest, an_execution_of_unknown_artifacts_is_refused_whole) {
  const auto known = add("file", "known");
  const auto failed = run("step", {known, ArtifactId("nothing")}, {});
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Code::kNotFound);
  EXPECT_NE(failed.error().message.find("in1"), std::string::npos);
  EXPECT_TRUE(lineage_->downstream(context_, known, 1)->executions.empty());
}

TEST_P(LineageTest, executions_come_back_whole) {
  const auto input = add("file", "input");
  Execution execution;
  execution.execution_id = ExecutionId("mine");
  execution.kind = "train";
  execution.name = "fit";
  execution.state = "failed";
  execution.properties = json::Value::object({{"rate", 0.5}});
  execution.started_ms = 5;
  execution.ended_ms = 9;
  execution.inputs = {{"training", input}};
  const auto id = database_->transact(
      [&](sql::Txn& txn) { return lineage_->add_execution(context_, txn, execution); });
  ASSERT_TRUE(id.ok());
  const auto found = lineage_->execution(context_, *id);
  EXPECT_EQ(found->execution_id, ExecutionId("mine"));
  EXPECT_EQ(found->state, "failed");
  EXPECT_EQ(found->properties.number_or("rate", 0), 0.5);
  EXPECT_EQ(found->ended_ms, 9);
  EXPECT_EQ(found->inputs[0].port, "training");
  EXPECT_TRUE(found->outputs.empty());
}

TEST_P(LineageTest, lists_newest_first_by_type_and_page) {
  const auto a = add("model", "a");
  const auto b = add("file", "b");
  const auto c = add("model", "c");
  const auto list = [&](std::string_view type, const ArtifactId& before, int limit) {
    std::vector<ArtifactId> ids;
    const auto artifacts = lineage_->list_artifacts(context_, type, before, limit);
    EXPECT_TRUE(artifacts.ok());
    for (const auto& artifact : *artifacts) ids.push_back(artifact.artifact_id);
    return ids;
  };
  EXPECT_EQ(list("", {}, 10), (std::vector{c, b, a}));
  EXPECT_EQ(list("", c, 1), (std::vector{b}));
  EXPECT_EQ(list("model", {}, 10), (std::vector{c, a}));
}

TEST_P(LineageTest, every_question_follows_an_index) {
  const auto first = add("model", "a");
  const auto second = add("model", "b");
  const auto execution = run("step", {first}, {second});
  ASSERT_TRUE(execution.ok());
  const auto before = database_->stats().full_scan_rows;
  EXPECT_TRUE(lineage_->upstream(context_, second, 4).ok());
  EXPECT_TRUE(lineage_->downstream(context_, first, 4).ok());
  EXPECT_TRUE(lineage_->producer(context_, second).ok());
  EXPECT_TRUE(lineage_->tree(context_, first).ok());
  EXPECT_TRUE(lineage_->execution(context_, *execution).ok());
  EXPECT_TRUE(lineage_->list_artifacts(context_, "", {}, 10).ok());
  EXPECT_TRUE(lineage_->list_artifacts(context_, "model", second, 10).ok());
  EXPECT_EQ(database_->stats().full_scan_rows, before);
}

TEST_P(LineageTest, workspaces_do_not_see_one_another) {
  const auto mine = add("file", "mine");
  Context other;
  other.workspace = "other";
  EXPECT_EQ(lineage_->artifact(other, mine).error().code, Code::kNotFound);
  EXPECT_EQ(lineage_->upstream(other, mine, 1).error().code, Code::kNotFound);
  EXPECT_TRUE(lineage_->list_artifacts(other, "", {}, 10)->empty());
}

TEST_P(LineageTest, properties_must_be_an_object) {
  const auto refused =
      lineage_->create_artifact(context_, "file", directory({}), json::Value("text"));
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Engines, LineageTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::lineage
