// SPDX-License-Identifier: Apache-2.0
#include "train/package.h"

#include <cmath>
#include <optional>
#include <system_error>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "data/statistics.h"
#include "train/mlmodel.h"

namespace ciclo::train {
namespace {

namespace fs = std::filesystem;

// Raised when packages of an older program would be read differently.
constexpr int kFormat = 1;

struct WrittenPackage {
  int format = kFormat;
  std::string model_file;
  Metadata metadata;
  std::vector<SignatureColumn> inputs;
  std::vector<std::string> outputs;
  std::string positive;
  std::vector<std::string> null_texts;
  json::Value importance = json::Value::object();  // by output of the transform, for readers
  std::vector<std::vector<json::Value>> example;   // [row][input]; times in ms

  template <class V>
  void fields(V& v) {
    v("format", format);
    v("model_file", model_file);
    v("metadata", metadata);
    v("inputs", inputs);
    v("outputs", outputs);
    v("positive", positive);
    v("null_texts", null_texts);
    v.or_default("importance", importance);
    v.or_default("example", example);
  }
};

struct WrittenStatistics {
  std::optional<data::Statistics> features;
  std::optional<data::Statistics> predictions;

  template <class V>
  void fields(V& v) {
    v("features", features);
    v("predictions", predictions);
  }
};

Signature make_signature(const features::Transform& transform, const LabelSpace& space,
                         const std::vector<std::string>& null_texts) {
  Signature signature;
  signature.null_texts = null_texts;
  if (space.task == Task::kBinary) signature.positive = space.classes[1];
  for (const auto& input : transform.inputs()) {
    signature.inputs.push_back({input.name, input.type, input.nullable});
  }
  switch (space.task) {
    case Task::kBinary: signature.outputs = {"probability"}; break;
    case Task::kRegression: signature.outputs = {"value"}; break;
    case Task::kMulticlass:
      for (const auto& name : space.classes) signature.outputs.push_back("probability_" + name);
      break;
  }
  return signature;
}

// The columns of the signature, without the others that the caller's rows have.
data::Batch select(const data::Batch& rows, const Signature& signature) {
  data::Batch selected;
  for (const auto& input : signature.inputs) {
    const auto* column = rows.find(input.name);
    if (column == nullptr) return empty_batch(signature);
    selected.columns.push_back(*column);
  }
  return selected;
}

std::vector<std::vector<json::Value>> write_example(const data::Batch& rows) {
  std::vector<std::vector<json::Value>> written(rows.rows());
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    for (const auto& column : rows.columns) {
      if (column.is_null(row)) {
        written[row].emplace_back();
      } else if (column.type == data::ColumnType::kText) {
        written[row].emplace_back(column.texts[row]);
      } else {
        written[row].emplace_back(column.numbers[row]);
      }
    }
  }
  return written;
}

Result<data::Batch> read_example(const std::vector<std::vector<json::Value>>& written,
                                 const Signature& signature) {
  auto rows = empty_batch(signature);
  for (const auto& cells : written) {
    if (cells.size() != rows.columns.size()) return data_loss("example: wrong number of columns");
    for (std::size_t i = 0; i < cells.size(); ++i) {
      auto& column = rows.columns[i];
      const bool text = column.type == data::ColumnType::kText;
      if (cells[i].is_null()) {
        column.append_null();
      } else if (text && cells[i].is_string()) {
        column.append(std::string_view(cells[i].string()));
      } else if (!text && cells[i].is_number()) {
        column.append(cells[i].number());
      } else {
        return data_loss("example: column " + quoted(column.name) + " has another type");
      }
    }
  }
  return rows;
}

json::Value write_importance(const Package& package) {
  auto importance = json::Value::object();
  const auto shares = package.model().importance();
  for (std::size_t i = 0; i < shares.size(); ++i) {
    importance[package.transform().outputs()[i]] = shares[i];
  }
  return importance;
}

template <class T>
Result<T> read_json_file(const fs::path& file) {
  TRY(const auto text, read_file(file, std::size_t{1} << 30));
  auto read = json::read<T>(text);
  if (!read.ok()) return data_loss(file.string() + ": " + read.error().message);
  return read;
}

// A part that is not there means that the package is damaged.
template <class T>
Result<T> as_part(Result<T> result) {
  if (result.ok() || result.error().code != Code::kNotFound) return result;
  return data_loss(result.error().message);
}

}  // namespace

struct Package::State {
  Parts parts;
  Signature signature;
};

Package Package::assemble(Parts parts) {
  CHECK(parts.model != nullptr);
  CHECK(parts.model->columns() == parts.transform.width());
  CHECK(parts.model->outputs() == parts.space.outputs());
  auto& metadata = parts.metadata;
  metadata.task = parts.space.task;
  metadata.classes = parts.space.classes;
  metadata.learner = std::string(parts.model->kind());
  metadata.rounds = parts.model->rounds();
  auto signature = make_signature(parts.transform, parts.space, parts.null_texts);
  parts.example = select(parts.example, signature);
  return Package(std::make_shared<const State>(State{std::move(parts), std::move(signature)}));
}

Result<Package> Package::load(const fs::path& directory) {
  TRY(auto written, read_json_file<WrittenPackage>(directory / "package.json"));
  if (written.format != kFormat) {
    return data_loss((directory / "package.json").string() + ": format " +
                     std::to_string(written.format) + " is not known; this program reads " +
                     std::to_string(kFormat));
  }
  TRY(const auto transform_text, as_part(read_file(directory / "transform.json")));
  TRY(auto transform, features::Transform::read(transform_text));
  TRY(auto statistics, as_part(read_json_file<WrittenStatistics>(directory / "statistics.json")));
  TRY(auto lineage, as_part(read_json_file<json::Value>(directory / "lineage.json")));
  const LabelSpace space{written.metadata.task, written.metadata.classes};
  const auto learner = find_learner(written.metadata.learner);
  if (!learner.ok()) return data_loss(learner.error().message);
  if (written.model_file.empty() || fs::path(written.model_file).has_parent_path()) {
    return data_loss("model_file must be the name of a file in the package");
  }
  TRY(auto model,
      as_part((*learner)->load(directory / written.model_file, space, transform.width())));
  if (model->outputs() != space.outputs()) {
    return data_loss(directory.string() + ": the model's outputs do not fit the task");
  }
  const auto signature = make_signature(transform, space, written.null_texts);
  TRY(auto example, read_example(written.example, signature));
  Parts parts{std::move(transform),
              space,
              std::move(model),
              written.metadata,
              lineage,
              std::move(example),
              std::move(written.null_texts)};
  const auto share = [](std::optional<data::Statistics>& from) {
    return from ? std::make_shared<const data::Statistics>(std::move(*from)) : nullptr;
  };
  parts.features = share(statistics.features);
  parts.predictions = share(statistics.predictions);
  return assemble(std::move(parts));
}

Result<void> Package::write(const fs::path& directory) const {
  const auto& parts = state_->parts;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return file_error("create", directory, error.value());
  const auto model_file = directory / parts.model->file_name();
  TRY(parts.model->save(model_file));
  const auto transform = parts.transform.write();
  TRY(write_file_durably(directory / "transform.json", transform));
  WrittenStatistics statistics;
  if (parts.features) statistics.features = *parts.features;
  if (parts.predictions) statistics.predictions = *parts.predictions;
  TRY(write_file_durably(directory / "statistics.json", json::write(statistics)));
  TRY(write_file_durably(directory / "lineage.json", json::dump_pretty(parts.lineage)));

  WrittenPackage written{kFormat,
                         std::string(parts.model->file_name()),
                         parts.metadata,
                         signature().inputs,
                         signature().outputs,
                         signature().positive,
                         signature().null_texts,
                         write_importance(*this),
                         write_example(parts.example)};
  if (written.metadata.model_uuid.empty()) {
    TRY(const auto model_hash, hash_file(model_file));
    Hasher hasher;
    hasher.field(model_hash).field(transform).field(json::write(written));
    written.metadata.model_uuid = hasher.digest().substr(0, 32);
  }
  TRY(write_file_durably(directory / "package.json", json::dump_pretty(json::to_value(written))));
  auto named = parts;
  named.metadata = written.metadata;
  const auto bytes = fs::file_size(model_file, error);
  if (error) return file_error("read", model_file, error.value());
  return write_mlflow_files(directory, assemble(std::move(named)),
                            static_cast<std::int64_t>(bytes));
}

const Signature& Package::signature() const { return state_->signature; }
const Metadata& Package::metadata() const { return state_->parts.metadata; }
const features::Transform& Package::transform() const { return state_->parts.transform; }
const Model& Package::model() const { return *state_->parts.model; }
const json::Value& Package::lineage() const { return state_->parts.lineage; }
const data::Batch& Package::example() const { return state_->parts.example; }
const data::Statistics* Package::statistics() const { return state_->parts.features.get(); }
const data::Statistics* Package::prediction_statistics() const {
  return state_->parts.predictions.get();
}

Result<Predictions> Package::predict(const data::Batch& rows) const {
  const auto& transform = state_->parts.transform;
  const auto& model = *state_->parts.model;
  Predictions predictions;
  predictions.rows = rows.rows();
  predictions.outputs = model.outputs();
  predictions.values.resize(predictions.rows * predictions.outputs);
  std::vector<float> features(predictions.rows * transform.width());
  TRY(transform.apply(rows, features));
  TRY(model.predict({features, predictions.rows, transform.width()}, predictions.values));
  return predictions;
}

data::Batch empty_batch(const Signature& signature) {
  data::Batch batch;
  for (const auto& input : signature.inputs) {
    data::Column column;
    column.name = input.name;
    column.type = input.type;
    batch.columns.push_back(std::move(column));
  }
  return batch;
}

}  // namespace ciclo::train
