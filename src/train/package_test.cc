// SPDX-License-Identifier: Apache-2.0
#include "train/package.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "base/file.h"
#include "base/random.h"
#include "data/statistics.h"

namespace ciclo::train {
namespace {

constexpr double kNull = std::numeric_limits<double>::quiet_NaN();

data::Batch make_rows(std::size_t count) {
  SeededRandom random(3);
  data::Batch rows;
  rows.columns = {{"x", data::ColumnType::kNumber, {}, {}, {}},
                  {"n", data::ColumnType::kInteger, {}, {}, {}},
                  {"c", data::ColumnType::kText, {}, {}, {}},
                  {"t", data::ColumnType::kTimestamp, {}, {}, {}},
                  {"y", data::ColumnType::kBoolean, {}, {}, {}}};
  for (std::size_t i = 0; i < count; ++i) {
    const double x = random.normal();
    rows.columns[0].append(i % 10 == 9 ? kNull : x);
    rows.columns[1].append(static_cast<double>(random.below(5)));
    rows.columns[2].append(std::string_view(random.below(2) == 0 ? "it's" : "ärger"));
    rows.columns[3].append(1.4e12 + 3.7e6 * static_cast<double>(i));
    rows.columns[4].append(x + 0.3 * random.normal() > 0 ? 1 : 0);
  }
  return rows;
}

Package make_package(const data::Batch& rows, std::string_view spec_text, std::string_view kind) {
  const auto spec = features::parse_spec(json::parse(spec_text).value()).value();
  const auto& label = *rows.find("y");
  const auto space = label_space(label, Task::kBinary).value();
  const auto labels = label_values(label, space).value();
  auto fitted = features::Transform::fit(spec, rows, {labels, 2}).value();
  const Matrix matrix{fitted.training, rows.rows(), fitted.transform.width()};
  FitOptions options;
  options.feature_names = fitted.transform.outputs();
  auto model = find_learner(kind).value()->fit(space, {matrix, labels, {}}, {},
                                               json::Value::object(), options);
  data::StatisticsBuilder statistics;
  statistics.add(rows);
  Package::Parts parts{fitted.transform, space, std::move(model).value()};
  parts.metadata.target = "y";
  parts.null_texts = {"", "?"};
  parts.metadata.training_rows = static_cast<std::int64_t>(rows.rows());
  parts.lineage = json::Value::object({{"training", "version-7"}});
  parts.features = std::make_shared<const data::Statistics>(statistics.build());
  for (const auto& column : rows.columns) {
    data::Column first;
    first.name = column.name;
    first.type = column.type;
    if (column.type == data::ColumnType::kText) {
      first.append(std::string_view(column.texts[0]));
    } else {
      first.append(column.numbers[0]);
    }
    parts.example.columns.push_back(std::move(first));
  }
  return Package::assemble(std::move(parts));
}

constexpr std::string_view kSpec = R"([{"column": "x", "encode": "numeric", "impute": "median"},
  {"column": "c", "encode": "target"}, {"column": "t", "encode": "timestamp"}])";
constexpr std::string_view kIdentity =
    R"([{"column": "x", "encode": "numeric"}, {"column": "n", "encode": "numeric"}])";

class EachLearner : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Learners, EachLearner,
                         testing::Values("xgboost", "lightgbm", "linear", "baseline"));

TEST_P(EachLearner, package_predicts_the_same_after_writing_and_loading) {
  const auto rows = make_rows(400);
  const auto package = make_package(rows, kSpec, GetParam());
  TemporaryDirectory directory;
  const auto path = directory.path() / "model";
  const auto written = package.write(path);
  ASSERT_TRUE(written.ok()) << written.error().message;
  const auto loaded = Package::load(path);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const auto expected = package.predict(rows);
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  EXPECT_EQ(loaded->predict(rows)->values, expected->values);
  EXPECT_EQ(loaded->metadata().learner, GetParam());
  EXPECT_EQ(loaded->metadata().classes, (std::vector<std::string>{"false", "true"}));
  EXPECT_EQ(loaded->metadata().target, "y");
  EXPECT_EQ(loaded->metadata().model_uuid.size(), 32U);
  EXPECT_EQ(loaded->lineage().string_or("training", ""), "version-7");
  ASSERT_NE(loaded->statistics(), nullptr);
  EXPECT_EQ(loaded->statistics()->rows, 400);
  EXPECT_EQ(loaded->prediction_statistics(), nullptr);
  const auto& signature = loaded->signature();
  ASSERT_EQ(signature.inputs.size(), 3U);
  EXPECT_EQ(signature.inputs[0].name, "x");
  EXPECT_TRUE(signature.inputs[0].nullable);
  EXPECT_EQ(signature.inputs[2].type, data::ColumnType::kTimestamp);
  EXPECT_EQ(signature.outputs, (std::vector<std::string>{"probability"}));
  EXPECT_EQ(signature.positive, "true");
  EXPECT_EQ(signature.null_texts, (std::vector<std::string>{"", "?"}));
  // The stored example predicts what its row did.
  EXPECT_EQ(loaded->predict(loaded->example())->values[0], expected->values[0]);
}

TEST(Package, same_content_has_the_same_uuid) {
  const auto rows = make_rows(100);
  TemporaryDirectory directory;
  ASSERT_TRUE(make_package(rows, kSpec, "xgboost").write(directory.path() / "a").ok());
  ASSERT_TRUE(make_package(rows, kSpec, "xgboost").write(directory.path() / "b").ok());
  EXPECT_EQ(Package::load(directory.path() / "a")->metadata().model_uuid,
            Package::load(directory.path() / "b")->metadata().model_uuid);
}

TEST(Package, one_row_predicts_as_it_does_among_many) {
  const auto rows = make_rows(50);
  const auto package = make_package(rows, kSpec, "xgboost");
  const auto all = package.predict(rows);
  for (std::size_t row = 0; row < 50; ++row) {
    auto one = empty_batch(package.signature());
    for (auto& column : one.columns) {
      const auto& from = *rows.find(column.name);
      if (column.type == data::ColumnType::kText) {
        column.append(std::string_view(from.texts[row]));
      } else {
        column.append(from.numbers[row]);
      }
    }
    EXPECT_EQ(package.predict(one)->values[0], all->values[row]);
  }
}

TEST(Package, names_the_column_that_a_request_lacks) {
  const auto rows = make_rows(50);
  const auto package = make_package(rows, kSpec, "baseline");
  auto lacking = rows;
  lacking.columns.erase(lacking.columns.begin());
  const auto predicted = package.predict(lacking);
  ASSERT_FALSE(predicted.ok());
  EXPECT_EQ(predicted.error().code, Code::kInvalidArgument);
  EXPECT_EQ(predicted.error().message, "column \"x\" is missing");
}

TEST(Package, flavors_of_python_stand_only_where_they_predict_the_same) {
  const auto rows = make_rows(100);
  TemporaryDirectory directory;
  const auto mlmodel = [&](std::string_view spec, std::string_view kind) {
    const auto path = directory.path() / std::string(kind);
    std::filesystem::remove_all(path);
    EXPECT_TRUE(make_package(rows, spec, kind).write(path).ok());
    EXPECT_EQ(std::filesystem::exists(path / "requirements.txt"),
              spec == kIdentity && kind != "linear");
    return read_file(path / "MLmodel").value();
  };
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(mlmodel(kIdentity, "xgboost"), "    loader_module: mlflow.xgboost\n"));
  EXPECT_TRUE(has(mlmodel(kIdentity, "lightgbm"), "    loader_module: mlflow.lightgbm\n"));
  EXPECT_FALSE(has(mlmodel(kIdentity, "linear"), "python_function"));
  const auto transformed = mlmodel(kSpec, "xgboost");
  EXPECT_FALSE(has(transformed, "python_function"));
  EXPECT_FALSE(has(transformed, "  xgboost:"));
  EXPECT_TRUE(has(transformed, "  ciclo:\n"));
}

TEST(Package, mlmodel_is_laid_out_as_mlflow_does) {
  const auto rows = make_rows(100);
  TemporaryDirectory directory;
  auto package = make_package(rows, kIdentity, "xgboost");
  ASSERT_TRUE(package.write(directory.path()).ok());
  auto text = read_file(directory.path() / "MLmodel").value();
  // What varies with the library's version of the model file.
  for (const std::string_view key : {"model_size_bytes: ", "model_uuid: "}) {
    const auto from = text.find(key) + key.size();
    text.replace(from, text.find('\n', from) - from, "…");
  }
  EXPECT_EQ(text, R"(flavors:
  ciclo:
    data: package.json
    format: 1
  python_function:
    data: model.ubj
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.xgboost
    python_version: '3.11'
  xgboost:
    code: null
    data: model.ubj
    model_class: xgboost.core.Booster
    model_format: ubj
    xgb_version: 3.2.0
is_signature_from_type_hint: false
mlflow_version: 3.17.2
model_id: null
model_size_bytes: …
model_uuid: …
prompts: null
saved_input_example_info:
  artifact_path: input_example.json
  pandas_orient: split
  serving_input_path: serving_input_example.json
  type: dataframe
signature:
  inputs: '[{"type":"double","name":"x","required":false},{"type":"long","name":"n","required":true}]'
  outputs: '[{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1]}}]'
  params: null
type_hint_from_example: false
)");
}

TEST(Package, missing_or_damaged_one_is_told_apart) {
  TemporaryDirectory directory;
  EXPECT_EQ(Package::load(directory.path() / "nowhere").error().code, Code::kNotFound);
  const auto rows = make_rows(50);
  ASSERT_TRUE(make_package(rows, kSpec, "linear").write(directory.path()).ok());
  for (const char* name : {"transform.json", "model.json", "statistics.json", "package.json"}) {
    const auto file = directory.path() / name;
    const auto before = read_file(file).value();
    ASSERT_TRUE(write_file_durably(file, before.substr(0, before.size() / 2)).ok());
    EXPECT_EQ(Package::load(directory.path()).error().code, Code::kDataLoss) << name;
    if (std::string_view(name) != "package.json") {
      std::filesystem::remove(file);
      EXPECT_EQ(Package::load(directory.path()).error().code, Code::kDataLoss) << name;
    }
    ASSERT_TRUE(write_file_durably(file, before).ok());
  }
  EXPECT_TRUE(Package::load(directory.path()).ok());
}

}  // namespace
}  // namespace ciclo::train
