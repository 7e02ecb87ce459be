// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "data/engine.h"
#include "steps/data_set.h"
#include "steps/job.h"
#include "train/package.h"

namespace ciclo::steps {
namespace {

namespace fs = std::filesystem;

// The training of one small table, as the pipeline would start it.
struct Training : testing::Test {
  TemporaryDirectory directory;
  SystemClock clock;
  data::Engine engine{clock};

  void write_part(const std::string& part, const std::string& rows) const {
    const auto to = fs::path(directory.path()) / part;
    fs::create_directories(to);
    const auto written = engine.write_parquet(
        Context(), {},
        "SELECT sin(i) AS a, hash(i) % 5 AS b, CASE WHEN i % 7 = 0 THEN NULL ELSE 'c' || i % 3 END "
        "AS c, CASE WHEN sin(i) > 0.2 THEN 'churned' ELSE 'stayed' END AS y FROM " +
            rows + " t(i)",
        (to / kDataFile).string());
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  // Runs the step under the ids given, and returns where the package lies.
  fs::path train(const std::string& id, const std::string& positive) const {
    const fs::path root = directory.path();
    const fs::path model = root / ("model-" + id);
    fs::create_directories(model);
    fs::create_directories(root / ("work-" + id));
    json::Value spec = json::Value::object(
        {{"kind", "train"},
         {"parameters",
          json::Value::object(
              {{"target", "y"},
               {"task", "binary"},
               {"positive", positive},
               {"learner", "xgboost"},
               {"seed", 7},
               {"parameters", json::Value::object({{"rounds", 10}, {"max_depth", 3}})}})},
         {"inputs", json::Value::object({{"train", (root / "train").string()},
                                         {"validation", (root / "validation").string()}})},
         {"outputs", json::Value::object({{"model", model.string()}})},
         {"work", (root / ("work-" + id)).string()},
         {"context",
          json::Value::object(
              {{"workspace", "default"},
               {"pipeline_run_id", "run-" + id},
               {"execution_id", "execution-" + id},
               {"attempt", static_cast<std::int64_t>(id.size())},
               {"origin",
                json::Value::object({{"inputs", json::Value::object({{"train", "hash-1"}})}})}})}});
    const auto file = root / ("spec-" + id + ".json");
    EXPECT_TRUE(write_file_durably(file, json::dump(spec)).ok());
    const auto done = run_job(file);
    EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().message);
    return model;
  }

  std::map<std::string, std::string> files_of(const fs::path& package) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(package)) {
      files[entry.path().filename().string()] = read_file(entry.path()).value();
    }
    return files;
  }
};

TEST_F(Training, done_twice_writes_the_same_bytes) {
  write_part("train", "range(300)");
  write_part("validation", "range(300, 400)");
  const auto first = files_of(train("a", ""));
  const auto second = files_of(train("bb", ""));
  EXPECT_GE(first.size(), 6U);
  EXPECT_EQ(first, second);
}

TEST_F(Training, tells_content_and_no_ids_as_its_lineage) {
  write_part("train", "range(300)");
  write_part("validation", "range(300, 400)");
  const auto lineage = json::parse(files_of(train("a", ""))["lineage.json"]).value();
  EXPECT_EQ(lineage.find("inputs")->string_or("train", ""), "hash-1");
  EXPECT_EQ(lineage.find("parameters")->integer_or("seed", 0), 7);
  EXPECT_EQ(lineage.find("learner")->string_or("kind", ""), "xgboost");
  EXPECT_EQ(lineage.find("learner")->string_or("version", ""), "3.2.0");
  EXPECT_NE(lineage.find("program")->string_or("version", ""), "");
  EXPECT_EQ(json::dump(lineage).find("execution-a"), std::string::npos);
}

TEST_F(Training, predicts_the_probability_of_the_class_called_positive) {
  write_part("train", "range(300)");
  write_part("validation", "range(300, 400)");
  for (const auto& [positive, id] :
       std::map<std::string, std::string>{{"churned", "a"}, {"stayed", "bb"}}) {
    const auto package = train::Package::load(train(id, positive));
    ASSERT_TRUE(package.ok()) << package.error().message;
    EXPECT_EQ(package->signature().positive, positive);
    EXPECT_EQ(package->metadata().classes[1], positive);
    const auto table = data_set_table(fs::path(directory.path()) / "validation", "t");
    const auto rows = engine.query_all(Context(), {table}, "SELECT * FROM t");
    const auto predicted = package->predict(*rows);
    ASSERT_TRUE(predicted.ok()) << predicted.error().message;
    double mean = 0;
    for (std::size_t i = 0; i < rows->rows(); ++i) {
      if (rows->find("y")->texts[i] == positive) mean += predicted->at(i);
      if (rows->find("y")->texts[i] != positive) mean -= predicted->at(i);
    }
    EXPECT_GT(mean, 0) << positive;
  }
}

}  // namespace
}  // namespace ciclo::steps
