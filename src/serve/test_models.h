// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/text.h"
#include "serve/model.h"

// For tests: models that are arithmetic, and a source of them that can be told to fail.

namespace ciclo::serve {

// Inputs "distance" (number) and "carrier" (text); output "probability" = version + distance /
// 1000, so that an answer tells which version gave it.
class TestModel final : public Model {
 public:
  struct Lives {
    std::atomic<int> alive{0};
    std::atomic<std::size_t> freed_on{0};  // hash of the thread's id
  };

  TestModel(double version, std::shared_ptr<Lives> lives, bool fails_on_example = false)
      : version_(version), lives_(std::move(lives)), fails_(fails_on_example) {
    signature_.inputs = {{"distance", data::ColumnType::kNumber, true},
                         {"carrier", data::ColumnType::kText, true}};
    signature_.outputs = {{"probability", data::ColumnType::kNumber, true}};
    example_.columns.resize(2);
    example_.columns[0] = {.name = "distance", .type = data::ColumnType::kNumber, .numbers = {1}};
    example_.columns[1] = {
        .name = "carrier", .type = data::ColumnType::kText, .texts = {"AA"}, .valid = {1}};
    ++lives_->alive;
  }
  ~TestModel() override {
    lives_->freed_on = std::hash<std::thread::id>()(std::this_thread::get_id());
    --lives_->alive;
  }

  const Signature& signature() const override { return signature_; }
  std::string_view platform() const override { return "test"; }
  const train::LabelSpace& labels() const override { return labels_; }
  const data::Batch& input_example() const override { return example_; }

  Result<data::Batch> predict(const data::Batch& rows) const override {
    if (fails_) return internal("this model is broken");
    const data::Column* const distance = rows.find("distance");
    if (distance == nullptr) return invalid_argument("column \"distance\" is missing");
    if (rows.find("carrier") == nullptr) return invalid_argument("column \"carrier\" is missing");
    data::Batch out;
    out.columns.push_back({.name = "probability", .type = data::ColumnType::kNumber});
    for (std::size_t i = 0; i < distance->rows(); ++i) {
      out.columns[0].append(version_ + (distance->is_null(i) ? 0 : distance->numbers[i] / 1000));
    }
    return out;
  }

 private:
  const double version_;
  const std::shared_ptr<Lives> lives_;
  const bool fails_;
  const train::LabelSpace labels_{train::Task::kBinary, {"0", "1"}};
  Signature signature_;
  data::Batch example_;
};

class TestModels final : public ModelSource {
 public:
  void set_alias(const std::string& alias, const std::string& version) {
    const std::lock_guard lock(mutex_);
    aliases_[alias] = version;
  }
  void break_version(const std::string& version, bool is_broken = true) {
    const std::lock_guard lock(mutex_);
    broken_[version] = is_broken;
  }

  Result<std::string> resolve(const Context&, std::string_view model,
                              std::string_view alias) override {
    const std::lock_guard lock(mutex_);
    const auto found = aliases_.find(alias);
    if (found != aliases_.end()) return found->second;
    return not_found("model " + quoted(model) + " has no alias " + quoted(alias));
  }
  Result<std::unique_ptr<Model>> load(const Context&, std::string_view model,
                                      std::string_view version) override {
    const std::lock_guard lock(mutex_);
    ++loads;
    const auto number = parse_double(version);
    if (!number) return not_found("model " + quoted(model) + " has no version " + quoted(version));
    return std::unique_ptr<Model>(
        std::make_unique<TestModel>(*number, lives, broken_[std::string(version)]));
  }

  std::shared_ptr<TestModel::Lives> lives = std::make_shared<TestModel::Lives>();
  std::atomic<int> loads{0};

 private:
  std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> aliases_;  // guarded by mutex_
  std::map<std::string, bool> broken_;                       // guarded by mutex_
};

inline data::Batch test_rows(std::size_t count, double distance = 100) {
  data::Batch rows;
  rows.columns.resize(2);
  rows.columns[0] = {.name = "distance", .type = data::ColumnType::kNumber};
  rows.columns[1] = {.name = "carrier", .type = data::ColumnType::kText};
  for (std::size_t i = 0; i < count; ++i) {
    rows.columns[0].append(distance);
    rows.columns[1].append("UA");
  }
  return rows;
}

}  // namespace ciclo::serve
