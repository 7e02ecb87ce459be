// SPDX-License-Identifier: Apache-2.0
#include "train/xgboost.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "train/examples.h"
#include "train/library.h"
#include "train/parameters.h"

namespace ciclo::train {
namespace {

// --- The C functions of libxgboost.so 3.2 that are used here (xgboost/c_api.h).
// -----------------------

using Handle = void*;
using Length = std::uint64_t;  // bst_ulong

struct Api {
  const char* (*last_error)();
  int (*set_global_config)(const char* config);
  int (*matrix_from_dense)(const char* array, const char* config, Handle* out);
  int (*matrix_set_info)(Handle matrix, const char* field, const char* array);
  int (*matrix_free)(Handle matrix);
  int (*booster_create)(const Handle matrices[], Length count, Handle* out);
  int (*booster_free)(Handle booster);
  int (*booster_set_param)(Handle booster, const char* name, const char* value);
  int (*booster_set_str_info)(Handle booster, const char* field, const char** values, Length count);
  int (*booster_update)(Handle booster, int round, Handle training);
  int (*booster_eval)(Handle booster, int round, Handle matrices[], const char* names[],
                      Length count, const char** out);
  int (*booster_slice)(Handle booster, int begin, int end, int step, Handle* out);
  int (*booster_rounds)(Handle booster, int* out);
  int (*booster_features)(Handle booster, Length* out);
  int (*booster_score)(Handle booster, const char* config, Length* count, const char*** names,
                       Length* dimensions, const Length** shape, const float** scores);
  int (*booster_predict_dense)(Handle booster, const char* array, const char* config, Handle proxy,
                               const Length** shape, Length* dimensions, const float** out);
  int (*booster_load)(Handle booster, const char* file);
  int (*booster_save)(Handle booster, const char* file);

  Result<void> check(int status, std::string_view action) const {
    if (status == 0) return {};
    // The message holds a stack trace after its first line.
    const std::string_view message = last_error();
    const auto line = trim(message.substr(0, message.find('\n')));
    return invalid_argument("xgboost could not " + std::string(action) + ": " + std::string(line));
  }
};

Result<Api> open_api() {
  TRY(const auto library, Library::open("libxgboost.so"));
  Api api;
  const auto find = [&](const char* name, auto*& function) {
    return library.find<std::remove_pointer_t<std::remove_reference_t<decltype(function)>>>(
        name, function);
  };
  TRY(find("XGBGetLastError", api.last_error));
  TRY(find("XGBSetGlobalConfig", api.set_global_config));
  TRY(find("XGDMatrixCreateFromDense", api.matrix_from_dense));
  TRY(find("XGDMatrixSetInfoFromInterface", api.matrix_set_info));
  TRY(find("XGDMatrixFree", api.matrix_free));
  TRY(find("XGBoosterCreate", api.booster_create));
  TRY(find("XGBoosterFree", api.booster_free));
  TRY(find("XGBoosterSetParam", api.booster_set_param));
  TRY(find("XGBoosterSetStrFeatureInfo", api.booster_set_str_info));
  TRY(find("XGBoosterUpdateOneIter", api.booster_update));
  TRY(find("XGBoosterEvalOneIter", api.booster_eval));
  TRY(find("XGBoosterSlice", api.booster_slice));
  TRY(find("XGBoosterBoostedRounds", api.booster_rounds));
  TRY(find("XGBoosterGetNumFeature", api.booster_features));
  TRY(find("XGBoosterFeatureScore", api.booster_score));
  TRY(find("XGBoosterPredictFromDense", api.booster_predict_dense));
  TRY(find("XGBoosterLoadModel", api.booster_load));
  TRY(find("XGBoosterSaveModel", api.booster_save));
  return api;
}

// Opened once, by the first caller; others wait.
Result<const Api*> the_api() {
  static const Result<Api> api = open_api();
  if (!api.ok()) return api.error();
  // The setting belongs to the calling thread.
  TRY(api->check(api->set_global_config(R"({"verbosity":0})"), "be made silent"));
  return &api.value();
}

// --- Handles
// ------------------------------------------------------------------------------------------

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

// Numbers in memory as the library takes them: the "array interface" of NumPy, as JSON.
struct ArrayText {
  char text[160];
  ArrayText(const float* data, std::size_t rows, std::size_t columns) {
    std::snprintf(
        text, sizeof text, R"({"data":[%llu,true],"shape":[%zu,%zu],"typestr":"<f4","version":3})",
        static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(data)), rows, columns);
  }
  explicit ArrayText(std::span<const float> values) {
    std::snprintf(text, sizeof text,
                  R"({"data":[%llu,true],"shape":[%zu],"typestr":"<f4","version":3})",
                  static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(values.data())),
                  values.size());
  }
};

Result<Owned> make_matrix(const Api& api, const Examples& examples, int threads) {
  const auto& features = examples.features;
  const ArrayText array(features.values.data(), features.rows, features.columns);
  const auto config = R"({"missing":NaN,"nthread":)" + std::to_string(threads) + "}";
  Handle handle = nullptr;
  TRY(api.check(api.matrix_from_dense(array.text, config.c_str(), &handle), "take the rows"));
  Owned matrix(handle, api.matrix_free);
  TRY(api.check(api.matrix_set_info(handle, "label", ArrayText(examples.labels).text),
                "take the labels"));
  if (!examples.weights.empty()) {
    TRY(api.check(api.matrix_set_info(handle, "weight", ArrayText(examples.weights).text),
                  "take the weights"));
  }
  return matrix;
}

// --- The model
// ----------------------------------------------------------------------------------------

class XgboostModel final : public Model {
 public:
  // Makes the booster ready for predicting from many threads at once.
  static Result<std::unique_ptr<Model>> make(const Api& api, Owned booster, std::size_t columns,
                                             std::size_t outputs) {
    TRY(api.check(api.booster_set_param(booster.get(), "nthread", "1"), "use one thread"));
    int rounds = 0;
    TRY(api.check(api.booster_rounds(booster.get(), &rounds), "count its rounds"));
    std::unique_ptr<XgboostModel> model(
        new XgboostModel(api, std::move(booster), columns, outputs, rounds));
    // The first prediction completes the booster's configuration, which is not safe to share.
    const std::vector<float> row(columns, std::numeric_limits<float>::quiet_NaN());
    std::vector<double> out(outputs);
    TRY(model->predict({row, 1, columns}, out));
    return std::unique_ptr<Model>(std::move(model));
  }

  std::string_view kind() const override { return "xgboost"; }
  std::size_t columns() const override { return columns_; }
  std::size_t outputs() const override { return outputs_; }
  int rounds() const override { return rounds_; }
  std::string_view file_name() const override { return "model.ubj"; }

  Result<void> predict(const Matrix& rows, std::span<double> out) const override {
    CHECK(rows.columns == columns_);
    CHECK(out.size() == rows.rows * outputs_);
    if (rows.rows == 0) return {};
    // The result lies in storage of this booster and thread, until the thread's next call.
    static constexpr const char* kConfig =
        R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false,)"
        R"("cache_id":0,"missing":NaN})";
    const ArrayText array(rows.values.data(), rows.rows, columns_);
    const Length* shape = nullptr;
    Length dimensions = 0;
    const float* values = nullptr;
    TRY(api_.check(api_.booster_predict_dense(booster_.get(), array.text, kConfig, nullptr, &shape,
                                              &dimensions, &values),
                   "predict"));
    Length count = 1;
    for (Length i = 0; i < dimensions; ++i) count *= shape[i];
    if (count != out.size()) return internal("xgboost predicted another number of values");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(values[i]);
    return {};
  }

  std::vector<double> importance() const override {
    std::vector<double> shares(columns_);
    Length count = 0;
    Length dimensions = 0;
    const char** names = nullptr;
    const Length* shape = nullptr;
    const float* scores = nullptr;
    // A map of names that are places: f0, f1, ….
    std::vector<std::string> places;
    auto config = json::Value::object({{"importance_type", "total_gain"}});
    for (std::size_t i = 0; i < columns_; ++i) places.push_back("f" + std::to_string(i));
    config["feature_names"] = json::Value::Array(places.begin(), places.end());
    const auto status = api_.booster_score(booster_.get(), json::dump(config).c_str(), &count,
                                           &names, &dimensions, &shape, &scores);
    if (status != 0) return shares;
    double total = 0;
    for (Length i = 0; i < count; ++i) {
      const auto place = parse_int(std::string_view(names[i]).substr(1));
      if (!place || static_cast<std::size_t>(*place) >= columns_) continue;
      shares[static_cast<std::size_t>(*place)] = static_cast<double>(scores[i]);
      total += static_cast<double>(scores[i]);
    }
    if (total > 0) {
      for (double& share : shares) share /= total;
    }
    return shares;
  }

  Result<void> save(const std::filesystem::path& file) const override {
    return api_.check(api_.booster_save(booster_.get(), file.c_str()), "write " + file.string());
  }

 private:
  XgboostModel(const Api& api, Owned booster, std::size_t columns, std::size_t outputs, int rounds)
      : api_(api),
        booster_(std::move(booster)),
        columns_(columns),
        outputs_(outputs),
        rounds_(rounds) {}

  const Api& api_;
  Owned booster_;
  std::size_t columns_;
  std::size_t outputs_;
  int rounds_;
};

// --- Training
// -----------------------------------------------------------------------------------------

const ParameterRules& rules() {
  static const ParameterRules all = {"xgboost",
                                     {int_rule("rounds", 100, 1, 100'000),
                                      int_rule("early_stopping_rounds", 0, 0, 100'000),
                                      choice_rule("booster", {"gbtree", "dart"}),
                                      choice_rule("tree_method", {"hist", "approx", "exact"}),
                                      positive_rule("learning_rate", 0.3, 1),
                                      int_rule("max_depth", 6, 0, 64),
                                      int_rule("max_leaves", 0, 0, 1 << 20),
                                      choice_rule("grow_policy", {"depthwise", "lossguide"}),
                                      int_rule("max_bin", 256, 2, 65'536),
                                      number_rule("min_child_weight", 1, 0, 1e12),
                                      number_rule("gamma", 0, 0, 1e12),
                                      positive_rule("subsample", 1, 1),
                                      positive_rule("colsample_bytree", 1, 1),
                                      positive_rule("colsample_bylevel", 1, 1),
                                      positive_rule("colsample_bynode", 1, 1),
                                      number_rule("reg_lambda", 1, 0, 1e12),
                                      number_rule("reg_alpha", 0, 0, 1e12),
                                      number_rule("max_delta_step", 0, 0, 1e12),
                                      positive_rule("scale_pos_weight", 1, 1e12),
                                      int_rule("num_parallel_tree", 1, 1, 1'000),
                                      number_rule("rate_drop", 0, 0, 1),
                                      number_rule("skip_drop", 0, 0, 1)},
                                     {{"n_estimators", "rounds"},
                                      {"num_boost_round", "rounds"},
                                      {"num_round", "rounds"},
                                      {"num_iterations", "rounds"},
                                      {"eta", "learning_rate"},
                                      {"lambda", "reg_lambda"},
                                      {"alpha", "reg_alpha"},
                                      {"l1", "reg_alpha"},
                                      {"l2", "reg_lambda"},
                                      {"min_split_loss", "gamma"},
                                      {"feature_fraction", "colsample_bytree"},
                                      {"bagging_fraction", "subsample"},
                                      {"num_leaves", "max_leaves"}}};
  return all;
}

// Settings that are passed on as they are, besides those that the task decides.
std::vector<std::pair<std::string, std::string>> library_settings(const LabelSpace& space,
                                                                  const json::Value& parameters,
                                                                  const FitOptions& options) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& [name, value] : parameters.members()) {
    if (name == "rounds" || name == "early_stopping_rounds") continue;
    const bool of_dart = name == "rate_drop" || name == "skip_drop";
    if (of_dart && parameters.string_or("booster", "") != "dart") continue;
    // It changes nothing but a binary task.
    if (name == "scale_pos_weight" && space.task != Task::kBinary) continue;
    settings.emplace_back(name, value.is_string() ? value.string() : json::dump(value));
  }
  settings.emplace_back("seed", std::to_string(options.seed % 2'147'483'647));
  settings.emplace_back("nthread", std::to_string(threads_or_all(options.threads)));
  switch (space.task) {
    case Task::kBinary:
      settings.emplace_back("objective", "binary:logistic");
      settings.emplace_back("eval_metric", "logloss");
      break;
    case Task::kMulticlass:
      settings.emplace_back("objective", "multi:softprob");
      settings.emplace_back("num_class", std::to_string(space.classes.size()));
      settings.emplace_back("eval_metric", "mlogloss");
      break;
    case Task::kRegression:
      settings.emplace_back("objective", "reg:squarederror");
      settings.emplace_back("eval_metric", "rmse");
      break;
  }
  return settings;
}

// "[3]\ttraining-logloss:0.61\tvalidation-logloss:0.63" with our names of the metrics.
std::vector<std::pair<std::string, double>> parse_metrics(std::string_view text, Task task) {
  std::vector<std::pair<std::string, double>> metrics;
  for (const auto part : split(text, '\t')) {
    const auto dash = part.find('-');
    const auto colon = part.rfind(':');
    if (dash == std::string_view::npos || colon == std::string_view::npos) continue;
    const auto value = parse_double(trim(part.substr(colon + 1)));
    if (!value) continue;
    metrics.emplace_back(std::string(part.substr(0, dash)) + "." + watched_metric(task), *value);
  }
  return metrics;
}

class Training {
 public:
  Training(const Api& api, Task task) : api_(api), task_(task) {}

  Result<void> prepare(const LabelSpace& space, const Examples& training,
                       const std::optional<Examples>& validation, const json::Value& parameters,
                       const FitOptions& options) {
    const int threads = threads_or_all(options.threads);
    TRY(training_, make_matrix(api_, training, threads));
    watched_ = {training_.get()};
    if (validation) {
      TRY(validation_, make_matrix(api_, *validation, threads));
      watched_.push_back(validation_.get());
    }
    Handle handle = nullptr;
    TRY(api_.check(api_.booster_create(watched_.data(), watched_.size(), &handle), "start"));
    booster_ = Owned(handle, api_.booster_free);
    for (const auto& [name, value] : library_settings(space, parameters, options)) {
      TRY(api_.check(api_.booster_set_param(handle, name.c_str(), value.c_str()), "set " + name));
    }
    if (options.feature_names.empty()) return {};
    std::vector<const char*> names;
    for (const auto& name : options.feature_names) names.push_back(name.c_str());
    return api_.check(api_.booster_set_str_info(handle, "feature_name", names.data(), names.size()),
                      "take the names of the features");
  }

  Result<Round> boost(int number) {
    TRY(api_.check(api_.booster_update(booster_.get(), number, training_.get()), "train"));
    const char* names[] = {"training", "validation"};
    const char* text = nullptr;
    TRY(api_.check(
        api_.booster_eval(booster_.get(), number, watched_.data(), names, watched_.size(), &text),
        "measure a round"));
    return Round{number, parse_metrics(text, task_)};
  }

  // The booster with the rounds before `end`.
  Result<Owned> finish(int end) {
    int rounds = 0;
    TRY(api_.check(api_.booster_rounds(booster_.get(), &rounds), "count its rounds"));
    if (end == rounds) return std::move(booster_);
    Handle sliced = nullptr;
    TRY(api_.check(api_.booster_slice(booster_.get(), 0, end, 1, &sliced), "keep the best rounds"));
    return Owned(sliced, api_.booster_free);
  }

 private:
  const Api& api_;
  Task task_;
  Owned training_;
  Owned validation_;
  Owned booster_;
  std::vector<Handle> watched_;
};

}  // namespace

Result<json::Value> XgboostLearner::check_parameters(const json::Value& parameters) const {
  TRY(auto settings, apply_rules(rules(), parameters));
  TRY(check_early_stopping(settings, "booster"));
  return settings;
}

Result<std::unique_ptr<Model>> XgboostLearner::fit(const LabelSpace& space,
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
    if (options.on_round && !options.on_round(round)) {
      return cancelled("training was cancelled after round " + std::to_string(number));
    }
    if (validation && stopping.stop_after(number, round.metrics.back().second)) {
      break;
    }
  }
  if (stopping.is_on()) end = stopping.best_round() + 1;
  TRY(auto booster, run.finish(end));
  return XgboostModel::make(*api, std::move(booster), training.features.columns, space.outputs());
}

Result<std::unique_ptr<Model>> XgboostLearner::load(const std::filesystem::path& file,
                                                    const LabelSpace& space,
                                                    std::size_t columns) const {
  TRY(const Api* const api, the_api());
  Handle handle = nullptr;
  TRY(api->check(api->booster_create(nullptr, 0, &handle), "start"));
  Owned booster(handle, api->booster_free);
  const auto loaded = api->check(api->booster_load(handle, file.c_str()), "read " + file.string());
  if (!loaded.ok()) return data_loss(loaded.error().message);
  Length features = 0;
  TRY(api->check(api->booster_features(handle, &features), "count its columns"));
  if (features != columns) {
    return data_loss(file.string() + " has " + std::to_string(features) + " columns, its package " +
                     std::to_string(columns));
  }
  return XgboostModel::make(*api, std::move(booster), columns, space.outputs());
}

}  // namespace ciclo::train
