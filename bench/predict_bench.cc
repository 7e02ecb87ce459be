// SPDX-License-Identifier: Apache-2.0
//
// What one prediction of one row costs through train::Package, beside the bare call of the library
// on numbers that are ready: in rounds that alternate between both, quantiles of the time of single
// calls. The 99th percentile is left out: a call of 60 µs on a busy machine is interrupted more
// often than that, so it would measure the neighbours. One JSON document on standard output.

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "train/package.h"

namespace ciclo::train {
namespace {

constexpr std::size_t kTrainingRows = 5'000;
constexpr int kRounds = 40;
constexpr int kCallsARound = 500;

data::Batch make_rows(std::size_t numbers, std::size_t texts, std::size_t times,
                      std::size_t count) {
  SeededRandom random(1);
  data::Batch rows;
  const auto add = [&](const std::string& name, data::ColumnType type) -> data::Column& {
    rows.columns.push_back({name, type, {}, {}, {}});
    return rows.columns.back();
  };
  for (std::size_t i = 0; i < numbers; ++i) {
    auto& column = add("n" + std::to_string(i), data::ColumnType::kNumber);
    for (std::size_t row = 0; row < count; ++row) column.append(random.normal());
  }
  for (std::size_t i = 0; i < texts; ++i) {
    auto& column = add("c" + std::to_string(i), data::ColumnType::kText);
    for (std::size_t row = 0; row < count; ++row) {
      column.append(std::string_view("value " + std::to_string(random.below(40))));
    }
  }
  for (std::size_t i = 0; i < times; ++i) {
    auto& column = add("t" + std::to_string(i), data::ColumnType::kTimestamp);
    for (std::size_t row = 0; row < count; ++row) column.append(1.4e12 + 1e7 * random.uniform());
  }
  auto& label = add("y", data::ColumnType::kBoolean);
  for (std::size_t row = 0; row < count; ++row) {
    label.append(rows.columns[0].numbers[row] + random.normal() > 0 ? 1 : 0);
  }
  return rows;
}

Result<Package> train_package(const std::string& kind, const data::Batch& rows) {
  features::Spec spec;
  for (const auto& column : rows.columns) {
    if (column.name == "y") continue;
    features::ColumnSpec item;
    item.column = column.name;
    if (column.type == data::ColumnType::kText) item.encode = features::Encoding::kTarget;
    if (column.type == data::ColumnType::kTimestamp) item.encode = features::Encoding::kTimestamp;
    spec.push_back(item);
  }
  TRY(const auto space, label_space(*rows.find("y"), Task::kBinary));
  TRY(const auto labels, label_values(*rows.find("y"), space));
  TRY(auto fitted, features::Transform::fit(spec, rows, {labels, 2}));
  TRY(const auto* learner, find_learner(kind));
  auto parameters = json::Value::object({{"rounds", 200}});
  if (kind == "xgboost") parameters["max_depth"] = 6;
  const Matrix matrix{fitted.training, rows.rows(), fitted.transform.width()};
  TRY(auto model, learner->fit(space, {matrix, labels, {}}, {}, parameters, {}));
  return Package::assemble({std::move(fitted.transform), space, std::move(model)});
}

using Function = void (*)();

Function find(const char* file_name, const char* name) {
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const auto& folder : {here / "lib", here.parent_path() / "lib"}) {
    if (void* library = dlopen((folder / file_name).c_str(), RTLD_NOW | RTLD_LOCAL)) {
      void* symbol = dlsym(library, name);
      CHECK(symbol != nullptr);
      return reinterpret_cast<Function>(symbol);
    }
  }
  check_failed("the library lies beside the program", __FILE__, __LINE__);
}

// The bare call on one row of ready numbers, everything else prepared. Handles live until the end.
std::function<void()> bare_xgboost(const std::filesystem::path& model,
                                   const std::vector<float>& row) {
  const char* library = "libxgboost.so";
  const auto create = reinterpret_cast<int (*)(const void*, std::uint64_t, void**)>(
      find(library, "XGBoosterCreate"));
  const auto load =
      reinterpret_cast<int (*)(void*, const char*)>(find(library, "XGBoosterLoadModel"));
  const auto set = reinterpret_cast<int (*)(void*, const char*, const char*)>(
      find(library, "XGBoosterSetParam"));
  const auto predict =
      reinterpret_cast<int (*)(void*, const char*, const char*, void*, const std::uint64_t**,
                               std::uint64_t*, const float**)>(
          find(library, "XGBoosterPredictFromDense"));
  void* booster = nullptr;
  CHECK(create(nullptr, 0, &booster) == 0);
  CHECK(load(booster, model.c_str()) == 0);
  CHECK(set(booster, "nthread", "1") == 0);
  const std::string array =
      "{\"data\":[" + std::to_string(reinterpret_cast<std::uintptr_t>(row.data())) +
      ",true],\"shape\":[1," + std::to_string(row.size()) + "],\"typestr\":\"<f4\",\"version\":3}";
  return [booster, predict, array] {
    const std::uint64_t* shape = nullptr;
    std::uint64_t dimensions = 0;
    const float* out = nullptr;
    CHECK(predict(booster, array.c_str(),
                  "{\"type\":0,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
                  "\"strict_shape\":false,\"cache_id\":0,\"missing\":NaN}",
                  nullptr, &shape, &dimensions, &out) == 0);
  };
}

std::function<void()> bare_lightgbm(const std::filesystem::path& model,
                                    const std::vector<float>& row) {
  const char* library = "lib_lightgbm.so";
  const auto load = reinterpret_cast<int (*)(const char*, int*, void**)>(
      find(library, "LGBM_BoosterCreateFromModelfile"));
  const auto prepare =
      reinterpret_cast<int (*)(void*, int, int, int, int, std::int32_t, const char*, void**)>(
          find(library, "LGBM_BoosterPredictForMatSingleRowFastInit"));
  const auto predict = reinterpret_cast<int (*)(void*, const void*, std::int64_t*, double*)>(
      find(library, "LGBM_BoosterPredictForMatSingleRowFast"));
  void* booster = nullptr;
  void* fast = nullptr;
  int rounds = 0;
  CHECK(load(model.c_str(), &rounds, &booster) == 0);
  CHECK(prepare(booster, 0, 0, -1, 0, static_cast<std::int32_t>(row.size()), "num_threads=1",
                &fast) == 0);
  return [fast, predict, &row] {
    std::int64_t count = 0;
    double out = 0;
    CHECK(predict(fast, row.data(), &count, &out) == 0);
  };
}

struct Times {
  std::vector<std::int64_t> ns;

  void run(const std::function<void()>& call) {
    for (int i = 0; i < kCallsARound; ++i) {
      const auto start = std::chrono::steady_clock::now();
      call();
      const auto took = std::chrono::steady_clock::now() - start;
      ns.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count());
    }
  }
  double us(double share) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(ns.size() - 1));
    std::nth_element(ns.begin(), ns.begin() + static_cast<std::ptrdiff_t>(at), ns.end());
    return static_cast<double>(ns[at]) / 1000;
  }
};

Result<json::Value> measure(const std::string& kind, const std::string& name,
                            const data::Batch& rows) {
  TRY(const auto package, train_package(kind, rows));
  TemporaryDirectory directory;
  const auto file = directory.path() / package.model().file_name();
  TRY(package.model().save(file));
  auto one = empty_batch(package.signature());
  for (auto& column : one.columns) {
    const auto& from = *rows.find(column.name);
    if (column.type == data::ColumnType::kText) {
      column.append(std::string_view(from.texts[0]));
    } else {
      column.append(from.numbers[0]);
    }
  }
  std::vector<float> ready(package.transform().width());
  TRY(package.transform().apply(one, ready));
  const auto bare = kind == "xgboost" ? bare_xgboost(file, ready) : bare_lightgbm(file, ready);
  const auto whole = [&] { CHECK(package.predict(one).ok()); };
  const auto transform = [&] { CHECK(package.transform().apply(one, ready).ok()); };
  Times of_bare;
  Times of_whole;
  Times of_transform;
  for (int round = 0; round < kRounds; ++round) {
    of_bare.run(bare);
    of_whole.run(whole);
    of_transform.run(transform);
  }
  return json::Value::object({{"learner", kind},
                              {"columns", name},
                              {"calls", kRounds * kCallsARound},
                              {"bare_p50_us", of_bare.us(0.5)},
                              {"package_p50_us", of_whole.us(0.5)},
                              {"added_p50_us", of_whole.us(0.5) - of_bare.us(0.5)},
                              {"ratio_p50", of_whole.us(0.5) / of_bare.us(0.5)},
                              {"transform_p50_us", of_transform.us(0.5)},
                              {"bare_p90_us", of_bare.us(0.9)},
                              {"package_p90_us", of_whole.us(0.9)}});
}

}  // namespace
}  // namespace ciclo::train

int main() {
  using namespace ciclo;
  auto results = json::Value::array();
  const auto numbers = train::make_rows(30, 0, 0, train::kTrainingRows);
  const auto mixed = train::make_rows(6, 5, 1, train::kTrainingRows);
  for (const char* kind : {"xgboost", "lightgbm"}) {
    for (const auto& [name, rows] :
         {std::pair{"30 numbers", &numbers}, std::pair{"6 numbers, 5 texts, 1 time", &mixed}}) {
      const auto measured = train::measure(kind, name, *rows);
      if (!measured.ok()) {
        std::fprintf(stderr, "%s\n", measured.error().message.c_str());
        return 1;
      }
      results.push_back(*measured);
    }
  }
  std::printf("%s", json::dump_pretty(json::Value::object({{"predict_one_row", results}})).c_str());
}
