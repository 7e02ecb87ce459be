// SPDX-License-Identifier: Apache-2.0
#include "train/lightgbm.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/text.h"
#include "train/examples.h"
#include "train/library.h"
#include "train/parameters.h"

namespace ciclo::train {
namespace {

// --- The C functions of lib_lightgbm.so 4.7 that are used here (LightGBM/c_api.h).
// --------------------

using Handle = void*;
constexpr int kFloat32 = 0;  // C_API_DTYPE_FLOAT32
constexpr int kNormal = 0;   // C_API_PREDICT_NORMAL
constexpr int kRowMajor = 1;
constexpr int kGain = 1;  // C_API_FEATURE_IMPORTANCE_GAIN

struct Api {
  const char* (*last_error)();
  int (*dataset_from_matrix)(const void* data, int type, std::int32_t rows, std::int32_t columns,
                             int row_major, const char* parameters, Handle reference, Handle* out);
  int (*dataset_set_field)(Handle data, const char* name, const void* values, int count, int type);
  int (*dataset_set_names)(Handle data, const char** names, int count);
  int (*dataset_free)(Handle data);
  int (*booster_create)(Handle training, const char* parameters, Handle* out);
  int (*booster_free)(Handle booster);
  int (*booster_add_validation)(Handle booster, Handle validation);
  int (*booster_update)(Handle booster, int* finished);
  int (*booster_eval)(Handle booster, int data, int* count, double* out);
  int (*booster_load)(const char* file, int* rounds, Handle* out);
  int (*booster_from_string)(const char* text, int* rounds, Handle* out);
  int (*booster_to_string)(Handle booster, int first, int rounds, int importance,
                           std::int64_t buffer_size, std::int64_t* size, char* out);
  int (*booster_save)(Handle booster, int first, int rounds, int importance, const char* file);
  int (*booster_features)(Handle booster, int* out);
  int (*booster_classes)(Handle booster, int* out);
  int (*booster_importance)(Handle booster, int rounds, int type, double* out);
  int (*predict)(Handle booster, const void* data, int type, std::int32_t rows,
                 std::int32_t columns, int row_major, int what, int first, int rounds,
                 const char* parameters, std::int64_t* count, double* out);
  int (*fast_init)(Handle booster, int what, int first, int rounds, int type, std::int32_t columns,
                   const char* parameters, Handle* out);
  int (*fast_predict)(Handle fast, const void* row, std::int64_t* count, double* out);
  int (*fast_free)(Handle fast);

  Result<void> check(int status, std::string_view action) const {
    if (status == 0) return {};
    return invalid_argument("lightgbm could not " + std::string(action) + ": " + last_error());
  }
};

Result<Api> open_api() {
  TRY(const auto library, Library::open("lib_lightgbm.so"));
  Api api;
  const auto find = [&](const char* name, auto*& function) {
    return library.find<std::remove_pointer_t<std::remove_reference_t<decltype(function)>>>(
        name, function);
  };
  TRY(find("LGBM_GetLastError", api.last_error));
  TRY(find("LGBM_DatasetCreateFromMat", api.dataset_from_matrix));
  TRY(find("LGBM_DatasetSetField", api.dataset_set_field));
  TRY(find("LGBM_DatasetSetFeatureNames", api.dataset_set_names));
  TRY(find("LGBM_DatasetFree", api.dataset_free));
  TRY(find("LGBM_BoosterCreate", api.booster_create));
  TRY(find("LGBM_BoosterFree", api.booster_free));
  TRY(find("LGBM_BoosterAddValidData", api.booster_add_validation));
  TRY(find("LGBM_BoosterUpdateOneIter", api.booster_update));
  TRY(find("LGBM_BoosterGetEval", api.booster_eval));
  TRY(find("LGBM_BoosterCreateFromModelfile", api.booster_load));
  TRY(find("LGBM_BoosterLoadModelFromString", api.booster_from_string));
  TRY(find("LGBM_BoosterSaveModelToString", api.booster_to_string));
  TRY(find("LGBM_BoosterSaveModel", api.booster_save));
  TRY(find("LGBM_BoosterGetNumFeature", api.booster_features));
  TRY(find("LGBM_BoosterGetNumClasses", api.booster_classes));
  TRY(find("LGBM_BoosterFeatureImportance", api.booster_importance));
  TRY(find("LGBM_BoosterPredictForMat", api.predict));
  TRY(find("LGBM_BoosterPredictForMatSingleRowFastInit", api.fast_init));
  TRY(find("LGBM_BoosterPredictForMatSingleRowFast", api.fast_predict));
  TRY(find("LGBM_FastConfigFree", api.fast_free));
  return api;
}

Result<const Api*> the_api() {
  static const Result<Api> api = open_api();
  if (!api.ok()) return api.error();
  return &api.value();
}

class Owned {
 public:
  Owned() = default;
  Owned(Handle handle, int (*free)(Handle)) : handle_(handle), free_(free) {}
  Owned(Owned&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)), free_(other.free_) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(free_, other.free_);
    return *this;
  }
  ~Owned() {
    if (handle_ != nullptr) free_(handle_);
  }
  Handle get() const { return handle_; }

 private:
  Handle handle_ = nullptr;
  int (*free_)(Handle) = nullptr;
};

// --- The model
// ----------------------------------------------------------------------------------------

class LightgbmModel final : public Model {
 public:
  // A booster that was read from text, so that nothing of the training is kept alive.
  LightgbmModel(const Api& api, Owned booster, std::size_t columns, std::size_t outputs, int rounds)
      : api_(api),
        booster_(std::move(booster)),
        columns_(columns),
        outputs_(outputs),
        rounds_(rounds) {}

  std::string_view kind() const override { return "lightgbm"; }
  std::size_t columns() const override { return columns_; }
  std::size_t outputs() const override { return outputs_; }
  int rounds() const override { return rounds_; }
  std::string_view file_name() const override { return "model.lgb"; }

  Result<void> predict(const Matrix& rows, std::span<double> out) const override {
    CHECK(rows.columns == columns_);
    CHECK(out.size() == rows.rows * outputs_);
    if (rows.rows == 0) return {};
    if (rows.rows == 1) return predict_row(rows.values.data(), out);
    std::int64_t count = 0;
    return api_.check(
        api_.predict(booster_.get(), rows.values.data(), kFloat32,
                     static_cast<std::int32_t>(rows.rows), static_cast<std::int32_t>(columns_),
                     kRowMajor, kNormal, 0, -1, kOneThread, &count, out.data()),
        "predict");
  }

  std::vector<double> importance() const override {
    std::vector<double> shares(columns_);
    if (api_.booster_importance(booster_.get(), 0, kGain, shares.data()) != 0) {
      return std::vector<double>(columns_);
    }
    double total = 0;
    for (const double share : shares) total += share;
    if (total > 0) {
      for (double& share : shares) share /= total;
    }
    return shares;
  }

  Result<void> save(const std::filesystem::path& file) const override {
    return api_.check(api_.booster_save(booster_.get(), 0, -1, kGain, file.c_str()),
                      "write " + file.string());
  }

 private:
  static constexpr const char* kOneThread = "num_threads=1";

  // One prepared call serves one thread at a time, so idle ones are kept for the next caller.
  Result<void> predict_row(const float* row, std::span<double> out) const {
    TRY(Owned fast, take_fast());
    std::int64_t count = 0;
    const auto predicted =
        api_.check(api_.fast_predict(fast.get(), row, &count, out.data()), "predict");
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(fast));
    return predicted;
  }
  Result<Owned> take_fast() const {
    {
      std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        Owned fast = std::move(idle_.back());
        idle_.pop_back();
        return fast;
      }
    }
    Handle handle = nullptr;
    TRY(api_.check(api_.fast_init(booster_.get(), kNormal, 0, -1, kFloat32,
                                  static_cast<std::int32_t>(columns_), kOneThread, &handle),
                   "prepare for single rows"));
    return Owned(handle, api_.fast_free);
  }

  const Api& api_;
  Owned booster_;
  std::size_t columns_;
  std::size_t outputs_;
  int rounds_;
  mutable std::mutex mutex_;
  // As many as there were callers at once. Declared after the booster: they go first.
  mutable std::vector<Owned> idle_;  // guarded by mutex_
};

// --- Training
// -----------------------------------------------------------------------------------------

const ParameterRules& rules() {
  static const ParameterRules all = {"lightgbm",
                                     {int_rule("rounds", 100, 1, 100'000),
                                      int_rule("early_stopping_rounds", 0, 0, 100'000),
                                      choice_rule("boosting", {"gbdt", "dart"}),
                                      positive_rule("learning_rate", 0.1, 1),
                                      int_rule("num_leaves", 31, 2, 131'072),
                                      int_rule("max_depth", -1, -1, 1'000),
                                      int_rule("max_bin", 255, 2, 65'535),
                                      int_rule("min_data_in_leaf", 20, 0, 1'000'000'000),
                                      number_rule("min_sum_hessian_in_leaf", 1e-3, 0, 1e12),
                                      number_rule("min_gain_to_split", 0, 0, 1e12),
                                      positive_rule("bagging_fraction", 1, 1),
                                      int_rule("bagging_freq", 0, 0, 100'000),
                                      positive_rule("feature_fraction", 1, 1),
                                      positive_rule("feature_fraction_bynode", 1, 1),
                                      number_rule("lambda_l1", 0, 0, 1e12),
                                      number_rule("lambda_l2", 0, 0, 1e12),
                                      number_rule("path_smooth", 0, 0, 1e12),
                                      bool_rule("extra_trees", false),
                                      positive_rule("scale_pos_weight", 1, 1e12),
                                      number_rule("drop_rate", 0.1, 0, 1),
                                      number_rule("skip_drop", 0.5, 0, 1)},
                                     {{"n_estimators", "rounds"},
                                      {"num_boost_round", "rounds"},
                                      {"num_iterations", "rounds"},
                                      {"eta", "learning_rate"},
                                      {"max_leaves", "num_leaves"},
                                      {"min_child_samples", "min_data_in_leaf"},
                                      {"min_child_weight", "min_sum_hessian_in_leaf"},
                                      {"min_split_gain", "min_gain_to_split"},
                                      {"gamma", "min_gain_to_split"},
                                      {"subsample", "bagging_fraction"},
                                      {"subsample_freq", "bagging_freq"},
                                      {"colsample_bytree", "feature_fraction"},
                                      {"colsample_bynode", "feature_fraction_bynode"},
                                      {"reg_alpha", "lambda_l1"},
                                      {"reg_lambda", "lambda_l2"},
                                      {"boosting_type", "boosting"},
                                      {"booster", "boosting"}}};
  return all;
}

std::string library_settings(const LabelSpace& space, const json::Value& parameters,
                             const FitOptions& options) {
  std::string text = "verbosity=-1 deterministic=true force_row_wise=true";
  for (const auto& [name, value] : parameters.members()) {
    if (name == "rounds" || name == "early_stopping_rounds") continue;
    const bool of_dart = name == "drop_rate" || name == "skip_drop";
    if (of_dart && parameters.string_or("boosting", "") != "dart") continue;
    if (name == "scale_pos_weight" && space.task != Task::kBinary) continue;
    text += " " + name + "=" + (value.is_string() ? value.string() : json::dump(value));
  }
  text += " seed=" + std::to_string(options.seed % 2'147'483'647);
  text += " num_threads=" + std::to_string(threads_or_all(options.threads));
  switch (space.task) {
    case Task::kBinary: text += " objective=binary metric=binary_logloss"; break;
    case Task::kMulticlass:
      text += " objective=multiclass metric=multi_logloss num_class=" +
              std::to_string(space.classes.size());
      break;
    case Task::kRegression: text += " objective=regression metric=rmse"; break;
  }
  return text;
}

// The library refuses names with characters that mean something in JSON, and replaces blanks; when
// one is so, all columns get plain names.
std::vector<std::string> library_names(const std::vector<std::string>& names) {
  std::vector<std::string> plain;
  bool usable = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    plain.push_back("f" + std::to_string(i));
    usable = usable && names[i].find_first_of(" \t\r\n\",:[]{}") == std::string::npos;
  }
  auto sorted = names;
  std::sort(sorted.begin(), sorted.end());
  usable = usable && std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
  return usable ? names : plain;
}

class Training {
 public:
  Training(const Api& api, Task task) : api_(api), task_(task) {}

  Result<void> prepare(const LabelSpace& space, const Examples& training,
                       const std::optional<Examples>& validation, const json::Value& parameters,
                       const FitOptions& options) {
    const auto settings = library_settings(space, parameters, options);
    TRY(training_, make_dataset(training, settings, nullptr));
    if (!options.feature_names.empty()) {
      const auto usable = library_names(options.feature_names);
      std::vector<const char*> names;
      for (const auto& name : usable) names.push_back(name.c_str());
      TRY(api_.check(
          api_.dataset_set_names(training_.get(), names.data(), static_cast<int>(names.size())),
          "take the names of the features"));
    }
    Handle handle = nullptr;
    TRY(api_.check(api_.booster_create(training_.get(), settings.c_str(), &handle), "start"));
    booster_ = Owned(handle, api_.booster_free);
    if (!validation) return {};
    TRY(validation_, make_dataset(*validation, settings, training_.get()));
    has_validation_ = true;
    return api_.check(api_.booster_add_validation(handle, validation_.get()),
                      "take the validation data");
  }

  // No round when no split gains anything any more.
  Result<std::optional<Round>> boost(int number) {
    int finished = 0;
    TRY(api_.check(api_.booster_update(booster_.get(), &finished), "train"));
    if (finished != 0) return std::optional<Round>();
    Round round;
    round.number = number;
    for (int data = 0; data < (has_validation_ ? 2 : 1); ++data) {
      int count = 0;
      double value = 0;
      TRY(api_.check(api_.booster_eval(booster_.get(), data, &count, &value), "measure a round"));
      round.metrics.emplace_back(
          std::string(data == 0 ? "training." : "validation.") + watched_metric(task_), value);
    }
    return std::optional<Round>(std::move(round));
  }

  // The first rounds as a booster without the training data.
  Result<Owned> finish(int rounds) {
    std::int64_t size = 0;
    TRY(api_.check(api_.booster_to_string(booster_.get(), 0, rounds, kGain, 0, &size, nullptr),
                   "keep the best rounds"));
    std::string text(static_cast<std::size_t>(size), '\0');
    TRY(api_.check(
        api_.booster_to_string(booster_.get(), 0, rounds, kGain, size, &size, text.data()),
        "keep the best rounds"));
    Handle handle = nullptr;
    int kept = 0;
    TRY(api_.check(api_.booster_from_string(text.c_str(), &kept, &handle), "keep the best rounds"));
    return Owned(handle, api_.booster_free);
  }

 private:
  Result<Owned> make_dataset(const Examples& examples, const std::string& settings,
                             Handle reference) const {
    const auto& features = examples.features;
    const auto rows = static_cast<std::int32_t>(features.rows);
    Handle handle = nullptr;
    TRY(api_.check(api_.dataset_from_matrix(features.values.data(), kFloat32, rows,
                                            static_cast<std::int32_t>(features.columns), kRowMajor,
                                            settings.c_str(), reference, &handle),
                   "take the rows"));
    Owned dataset(handle, api_.dataset_free);
    TRY(api_.check(api_.dataset_set_field(handle, "label", examples.labels.data(), rows, kFloat32),
                   "take the labels"));
    if (!examples.weights.empty()) {
      TRY(api_.check(
          api_.dataset_set_field(handle, "weight", examples.weights.data(), rows, kFloat32),
          "take the weights"));
    }
    return dataset;
  }

  const Api& api_;
  Task task_;
  // The booster refers to both data sets, so it is declared after them and goes first.
  Owned training_;
  Owned validation_;
  Owned booster_;
  bool has_validation_ = false;
};

}  // namespace

Result<json::Value> LightgbmLearner::check_parameters(const json::Value& parameters) const {
  TRY(auto settings, apply_rules(rules(), parameters));
  if (number_of(settings, "bagging_fraction") < 1 && int_of(settings, "bagging_freq") == 0) {
    return invalid_argument(
        "parameter \"bagging_fraction\" of lightgbm has no effect while \"bagging_freq\" is 0; set "
        "it to 1");
  }
  TRY(check_early_stopping(settings, "boosting"));
  return settings;
}

Result<std::unique_ptr<Model>> LightgbmLearner::fit(const LabelSpace& space,
                                                    const Examples& training,
                                                    const std::optional<Examples>& validation,
                                                    const json::Value& parameters,
                                                    const FitOptions& options) const {
  TRY(const auto settings, check_parameters(parameters));
  TRY(check_examples(space, training, validation));
  TRY(const Api* const api, the_api());
  Training run(*api, space.task);
  TRY(run.prepare(space, training, validation, settings, options));
  EarlyStopping stopping(validation ? int_of(settings, "early_stopping_rounds") : 0);
  int end = int_of(settings, "rounds");
  for (int number = 0; number < end; ++number) {
    TRY(const auto round, run.boost(number));
    if (!round) {
      end = std::max(number, 1);
      break;
    }
    if (options.on_round && !options.on_round(*round)) {
      return cancelled("training was cancelled after round " + std::to_string(number));
    }
    if (validation && stopping.stop_after(number, round->metrics.back().second)) {
      break;
    }
  }
  if (stopping.is_on()) end = stopping.best_round() + 1;
  TRY(auto booster, run.finish(end));
  return std::unique_ptr<Model>(std::make_unique<LightgbmModel>(
      *api, std::move(booster), training.features.columns, space.outputs(), end));
}

Result<std::unique_ptr<Model>> LightgbmLearner::load(const std::filesystem::path& file,
                                                     const LabelSpace& space,
                                                     std::size_t columns) const {
  TRY(const Api* const api, the_api());
  Handle handle = nullptr;
  int rounds = 0;
  const auto loaded =
      api->check(api->booster_load(file.c_str(), &rounds, &handle), "read " + file.string());
  if (!loaded.ok()) return data_loss(loaded.error().message);
  Owned booster(handle, api->booster_free);
  int features = 0;
  int classes = 0;
  TRY(api->check(api->booster_features(handle, &features), "count its columns"));
  TRY(api->check(api->booster_classes(handle, &classes), "count its classes"));
  if (static_cast<std::size_t>(features) != columns ||
      static_cast<std::size_t>(classes) != space.outputs()) {
    return data_loss(file.string() + " does not fit the package: other columns or classes");
  }
  return std::unique_ptr<Model>(
      std::make_unique<LightgbmModel>(*api, std::move(booster), columns, space.outputs(), rounds));
}

}  // namespace ciclo::train
