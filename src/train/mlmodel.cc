// SPDX-License-Identifier: Apache-2.0
#include "train/mlmodel.h"

#include <cmath>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

namespace ciclo::train {
namespace {

// The version of MLflow whose layout is written.
constexpr const char* kMlflow = "3.17.2";
constexpr const char* kPython = "3.11";

// The flavor of MLflow that computes the same as the package; empty when there is none. Those
// flavors know no transform, so with one they would predict something else.
std::string native_flavor(const Package& package) {
  if (!package.transform().is_identity()) return "";
  const auto& learner = package.metadata().learner;
  return learner == "xgboost" || learner == "lightgbm" ? learner : "";
}

std::string quote_yaml(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c;
    if (c == '\'') quoted += c;
  }
  return quoted + "'";
}

// A whole number that may be null travels as a double in pandas.
std::string mlflow_type(const SignatureColumn& column) {
  switch (column.type) {
    case data::ColumnType::kBoolean: return "boolean";
    case data::ColumnType::kInteger: return column.nullable ? "double" : "long";
    case data::ColumnType::kText: return "string";
    case data::ColumnType::kTimestamp: return "datetime";
    case data::ColumnType::kNumber: break;
  }
  return "double";
}

json::Value column_spec(const std::string& type, const std::string& name, bool required) {
  return json::Value::object({{"type", type}, {"name", name}, {"required", required}});
}

json::Value signature_inputs(const Signature& signature) {
  auto inputs = json::Value::array();
  for (const auto& column : signature.inputs) {
    inputs.push_back(column_spec(mlflow_type(column), column.name, !column.nullable));
  }
  return inputs;
}

// A Booster of Python answers an array, of float32 in XGBoost.
json::Value signature_outputs(const Signature& signature, const std::string& flavor) {
  auto outputs = json::Value::array();
  if (flavor.empty()) {
    for (const auto& name : signature.outputs) outputs.push_back(column_spec("double", name, true));
    return outputs;
  }
  auto shape = json::Value::array();
  shape.push_back(-1);
  if (signature.outputs.size() > 1) shape.push_back(signature.outputs.size());
  outputs.push_back(json::Value::object(
      {{"type", "tensor"},
       {"tensor-spec", json::Value::object({{"dtype", flavor == "xgboost" ? "float32" : "float64"},
                                            {"shape", std::move(shape)}})}}));
  return outputs;
}

std::string flavors(const Package& package, const std::string& flavor) {
  const std::string file(package.model().file_name());
  std::string text = "flavors:\n  ciclo:\n    data: package.json\n    format: 1\n";
  if (flavor == "lightgbm") {
    text += "  lightgbm:\n    code: null\n    data: " + file +
            "\n    lgb_version: " + std::string(learner_version(flavor)) +
            "\n    model_class: lightgbm.basic.Booster\n";
  }
  if (!flavor.empty()) {
    text += "  python_function:\n    data: " + file +
            "\n    env:\n      conda: conda.yaml\n      virtualenv: python_env.yaml\n"
            "    loader_module: mlflow." +
            flavor + "\n    python_version: '" + kPython + "'\n";
  }
  if (flavor == "xgboost") {
    text += "  xgboost:\n    code: null\n    data: " + file +
            "\n    model_class: xgboost.core.Booster\n    model_format: ubj\n    xgb_version: " +
            std::string(learner_version(flavor)) + "\n";
  }
  return text;
}

std::string mlmodel_text(const Package& package, const std::string& flavor,
                         std::int64_t model_bytes) {
  const auto& signature = package.signature();
  std::string text = flavors(package, flavor);
  text += "is_signature_from_type_hint: false\n";
  text += std::string("mlflow_version: ") + kMlflow + "\n";
  text += "model_id: null\nmodel_size_bytes: " + std::to_string(model_bytes) + "\n";
  // Quoted: a number such as 12e5… would not stay a text.
  text += "model_uuid: " + quote_yaml(package.metadata().model_uuid) + "\nprompts: null\n";
  if (package.example().rows() > 0) {
    text +=
        "saved_input_example_info:\n  artifact_path: input_example.json\n  pandas_orient: split\n"
        "  serving_input_path: serving_input_example.json\n  type: dataframe\n";
  }
  text += "signature:\n";
  text += "  inputs: " + quote_yaml(json::dump(signature_inputs(signature))) + "\n";
  text += "  outputs: " + quote_yaml(json::dump(signature_outputs(signature, flavor))) + "\n";
  text += "  params: null\ntype_hint_from_example: false\n";
  // No utc_time_created: the same training must write the same bytes, and a reader that finds none
  // takes the present. The version in the registry knows when it was made.
  return text;
}

json::Value example_cell(const data::Column& column, std::size_t row) {
  if (column.is_null(row)) return {};
  switch (column.type) {
    case data::ColumnType::kText: return json::Value(column.texts[row]);
    case data::ColumnType::kBoolean: return json::Value(column.numbers[row] != 0);
    case data::ColumnType::kTimestamp:
      return json::Value(format_utc(static_cast<std::int64_t>(column.numbers[row])));
    case data::ColumnType::kInteger:
      return json::Value(static_cast<std::int64_t>(column.numbers[row]));
    case data::ColumnType::kNumber: break;
  }
  return json::Value(column.numbers[row]);
}

json::Value split_frame(const data::Batch& rows) {
  auto frame =
      json::Value::object({{"columns", json::Value::array()}, {"data", json::Value::array()}});
  for (const auto& column : rows.columns) frame["columns"].push_back(column.name);
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    auto cells = json::Value::array();
    for (const auto& column : rows.columns) cells.push_back(example_cell(column, row));
    frame["data"].push_back(std::move(cells));
  }
  return frame;
}

Result<void> write_environment(const std::filesystem::path& directory, const std::string& flavor) {
  const std::vector<std::string> needed = {std::string("mlflow==") + kMlflow, "numpy", "pandas",
                                           "scipy",
                                           flavor + "==" + std::string(learner_version(flavor))};
  std::string requirements;
  std::string conda = std::string("channels:\n- conda-forge\ndependencies:\n- python=") + kPython +
                      "\n- pip\n- pip:\n";
  for (const auto& package : needed) {
    requirements += package + "\n";
    conda += "  - " + package + "\n";
  }
  conda += "name: mlflow-env\n";
  TRY(write_file_durably(directory / "requirements.txt", requirements));
  TRY(write_file_durably(directory / "conda.yaml", conda));
  return write_file_durably(
      directory / "python_env.yaml",
      std::string("python: '") + kPython +
          "'\nbuild_dependencies:\n- pip\n- setuptools\n- wheel\ndependencies:\n"
          "- -r requirements.txt\n");
}

}  // namespace

Result<void> write_mlflow_files(const std::filesystem::path& directory, const Package& package,
                                std::int64_t model_bytes) {
  const auto flavor = native_flavor(package);
  TRY(write_file_durably(directory / "MLmodel", mlmodel_text(package, flavor, model_bytes)));
  if (package.example().rows() > 0) {
    const auto frame = split_frame(package.example());
    TRY(write_file_durably(directory / "input_example.json", json::dump(frame)));
    TRY(write_file_durably(directory / "serving_input_example.json",
                           json::dump_pretty(json::Value::object({{"dataframe_split", frame}}))));
  }
  if (flavor.empty()) return {};
  return write_environment(directory, flavor);
}

}  // namespace ciclo::train
