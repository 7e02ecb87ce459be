// SPDX-License-Identifier: Apache-2.0
//
// One-row predictions in process: the bare call of the model's runtime, then with each layer that a
// served request passes, on the same rows in turn. The limit of the design: the endpoint costs at
// most 30 µs over the bare call at the median.
//
//   serve_bench [CALLS]     default 20000 (2000 with XGBoost)

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "api/oip/infer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "events/log.h"
#include "serve/endpoints.h"
#include "serve/package_model.h"
#include "serve/test_endpoints.h"
#include "train/package.h"

namespace ciclo {
namespace {

constexpr int kNumbers = 20;
constexpr int kTexts = 2;

data::Batch make_rows(std::size_t count) {
  SeededRandom random(3);
  data::Batch rows;
  for (int i = 0; i < kNumbers; ++i) {
    rows.columns.push_back({.name = "x" + std::to_string(i)});
    for (std::size_t row = 0; row < count; ++row) rows.columns.back().append(random.normal());
  }
  for (int i = 0; i < kTexts; ++i) {
    rows.columns.push_back({.name = "c" + std::to_string(i), .type = data::ColumnType::kText});
    for (std::size_t row = 0; row < count; ++row) {
      rows.columns.back().append(std::string_view("k" + std::to_string(random.below(10))));
    }
  }
  rows.columns.push_back({.name = "y", .type = data::ColumnType::kBoolean});
  for (std::size_t row = 0; row < count; ++row) {
    const double score = rows.columns[0].numbers[row] + 0.5 * rows.columns[1].numbers[row];
    rows.columns.back().append(score + random.normal() > 0 ? 1.0 : 0.0);
  }
  return rows;
}

data::Batch row_of(const data::Batch& rows, std::size_t at) {
  data::Batch out;
  for (const auto& column : rows.columns) {
    if (column.name == "y") continue;
    data::Column one{.name = column.name, .type = column.type};
    if (column.type == data::ColumnType::kText) {
      one.append(std::string_view(column.texts[at]));
    } else {
      one.append(column.numbers[at]);
    }
    out.columns.push_back(std::move(one));
  }
  return out;
}

train::Package make_package(const data::Batch& rows, std::string_view learner) {
  json::Value text = json::Value::array();
  for (const auto& column : rows.columns) {
    if (column.name == "y") continue;
    const char* encode = column.type == data::ColumnType::kText ? "target" : "numeric";
    json::Value item = json::Value::object({{"column", column.name}, {"encode", encode}});
    if (learner == "linear" && column.type != data::ColumnType::kText) item["standardise"] = true;
    text.push_back(std::move(item));
  }
  const auto spec = features::parse_spec(text).value();
  const auto& label = *rows.find("y");
  const auto space = train::label_space(label, train::Task::kBinary).value();
  const auto labels = train::label_values(label, space).value();
  auto fitted = features::Transform::fit(spec, rows, {labels, 2}).value();
  json::Value parameters = json::Value::object();
  if (learner != "linear") {
    parameters = json::Value::object({{"rounds", 200}, {"max_depth", 6}});
  }
  train::FitOptions options;
  options.feature_names = fitted.transform.outputs();
  options.threads = 1;
  auto model = train::find_learner(learner).value()->fit(
      space, {{fitted.training, rows.rows(), fitted.transform.width()}, labels, {}}, {}, parameters,
      options);
  if (!model.ok()) std::fprintf(stderr, "%s\n", model.error().message.c_str());
  train::Package::Parts parts{fitted.transform, space, std::move(model).value()};
  parts.metadata.target = "y";
  parts.example = row_of(rows, 0);
  return train::Package::assemble(std::move(parts));
}

// One package under every name.
class OnePackage final : public serve::ModelSource {
 public:
  explicit OnePackage(train::Package package) : package_(std::move(package)) {}
  Result<std::string> resolve(const Context&, std::string_view, std::string_view) override {
    return std::string("1");
  }
  Result<std::unique_ptr<serve::Model>> load(const Context&, std::string_view,
                                             std::string_view) override {
    return serve::package_model(package_);
  }

 private:
  train::Package package_;
};

struct Layer {
  std::string name;
  std::function<void(std::size_t)> call;  // of the row of that number
  std::vector<double> us;
};

double quantile(std::vector<double> values, double share) {
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

json::Value measure(const std::string& learner, int calls) {
  const data::Batch rows = make_rows(5'000);
  const train::Package package = make_package(rows, learner);
  OnePackage source(package);
  serve::TestEndpoints rig;
  SystemClock clock;
  SystemRandom random;
  IdSource ids(clock, random);
  serve::Capture capture({.root = rig.folder.path() / "bench"}, clock);
  serve::Endpoints endpoints(*rig.database, *rig.log, clock, ids, source, capture);
  CHECK(endpoints.start().ok());
  CHECK(endpoints.put({}, {.name = "bench", .model = "bench"}).ok());
  const auto serving = endpoints.serving("bench").value();

  constexpr std::size_t kDifferent = 256;
  std::vector<data::Batch> batches;
  std::vector<std::vector<float>> features;
  std::vector<std::string> bodies;
  for (std::size_t i = 0; i < kDifferent; ++i) {
    batches.push_back(row_of(rows, i));
    std::vector<float> numbers(package.transform().width());
    CHECK(package.transform().apply(batches.back(), numbers).ok());
    features.push_back(std::move(numbers));
    std::string body;
    json::Writer writer(body);
    writer.begin_object().key("inputs").begin_array();
    for (const auto& column : batches.back().columns) {
      const bool is_text = column.type == data::ColumnType::kText;
      writer.begin_object().key("name").string(column.name);
      writer.key("shape").begin_array().integer(1).end_array();
      writer.key("datatype").string(is_text ? "BYTES" : "FP64").key("data").begin_array();
      if (is_text) {
        writer.string(column.texts[0]);
      } else {
        writer.number(column.numbers[0]);
      }
      writer.end_array().end_object();
    }
    writer.end_array().end_object();
    bodies.push_back(std::move(body));
  }

  std::vector<double> out(1);
  std::vector<Layer> layers;
  layers.push_back(
      {"runtime",
       [&](std::size_t i) {
         CHECK(package.model().predict({features[i], 1, features[i].size()}, out).ok());
       },
       {}});
  layers.push_back(
      {"package", [&](std::size_t i) { CHECK(package.predict(batches[i]).ok()); }, {}});
  layers.push_back({"endpoint",
                    [&](std::size_t i) { CHECK(endpoints.predict({}, "bench", batches[i]).ok()); },
                    {}});
  layers.push_back({"oip_body_to_body",
                    [&](std::size_t i) {
                      auto request = api::oip::parse_infer(bodies[i], serving->loaded->signature());
                      CHECK(request.ok());
                      const auto prediction = endpoints.predict(
                          {}, serving, std::move(request->rows), request->options);
                      CHECK(prediction.ok());
                      CHECK(!api::oip::write_infer(*request, *prediction).empty());
                    },
                    {}});
  for (int call = 0; call < calls; ++call) {
    for (Layer& layer : layers) {
      const std::int64_t started = clock.monotonic_ns();
      layer.call(static_cast<std::size_t>(call) % kDifferent);
      layer.us.push_back(static_cast<double>(clock.monotonic_ns() - started) / 1e3);
    }
  }
  json::Value result = json::Value::object({{"learner", learner}, {"calls", calls}});
  const double bare = quantile(layers.front().us, 0.5);
  for (const Layer& layer : layers) {
    const double median = quantile(layer.us, 0.5);
    result[layer.name] = json::Value::object({{"p50_us", median},
                                              {"p99_us", quantile(layer.us, 0.99)},
                                              {"p50_over_runtime_us", median - bare}});
  }
  result["rows_dropped"] = capture.stats().rows_dropped;
  return result;
}

int run(int calls) {
  log::configure(log::Level::kOff, log::Format::kAuto);
  json::Value report = json::Value::object({{"bench", "serve"}, {"columns", kNumbers + kTexts}});
  report["results"].push_back(measure("linear", calls));
  report["results"].push_back(measure("lightgbm", calls));
  report["results"].push_back(measure("xgboost", std::max(calls / 10, 1)));
  std::fputs(json::dump_pretty(report).c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace ciclo

int main(int argc, char** argv) {
  const auto calls = argc > 1 ? ciclo::parse_int(argv[1]).value_or(20'000) : 20'000;
  return ciclo::run(static_cast<int>(calls));
}
