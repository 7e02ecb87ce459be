// SPDX-License-Identifier: Apache-2.0
#include "train/baseline.h"

#include <vector>

#include "base/file.h"
#include "base/json_fields.h"
#include "train/examples.h"
#include "train/parameters.h"

namespace ciclo::train {
namespace {

struct Written {
  int format = 1;
  std::string learner = "baseline";
  std::int64_t columns = 0;
  std::vector<double> outputs;

  template <class V>
  void fields(V& v) {
    v("format", format);
    v("learner", learner);
    v("columns", columns);
    v("outputs", outputs);
  }
};

class BaselineModel final : public Model {
 public:
  explicit BaselineModel(Written written) : written_(std::move(written)) {}

  std::string_view kind() const override { return "baseline"; }
  std::size_t columns() const override { return static_cast<std::size_t>(written_.columns); }
  std::size_t outputs() const override { return written_.outputs.size(); }
  Result<void> predict(const Matrix& rows, std::span<double> out) const override {
    CHECK(out.size() == rows.rows * outputs());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = written_.outputs[i % outputs()];
    return {};
  }
  std::vector<double> importance() const override { return std::vector<double>(columns()); }
  std::string_view file_name() const override { return "model.json"; }
  Result<void> save(const std::filesystem::path& file) const override {
    return write_file_durably(file, json::write(written_));
  }

 private:
  Written written_;
};

}  // namespace

Result<json::Value> BaselineLearner::check_parameters(const json::Value& parameters) const {
  return apply_rules({"baseline", {}, {}}, parameters);
}

Result<std::unique_ptr<Model>> BaselineLearner::fit(const LabelSpace& space,
                                                    const Examples& training,
                                                    const std::optional<Examples>& validation,
                                                    const json::Value& parameters,
                                                    const FitOptions&) const {
  TRY(check_parameters(parameters));
  TRY(check_examples(space, training, validation));
  Written written;
  written.columns = static_cast<std::int64_t>(training.features.columns);
  written.outputs.assign(space.outputs(), 0);
  double total = 0;
  for (std::size_t row = 0; row < training.features.rows; ++row) {
    const double weight = weight_of(training, row);
    const float label = training.labels[row];
    total += weight;
    if (space.task == Task::kMulticlass) {
      written.outputs[static_cast<std::size_t>(label)] += weight;
    } else {
      written.outputs[0] += weight * static_cast<double>(label);
    }
  }
  for (double& output : written.outputs) output /= total;
  return std::unique_ptr<Model>(std::make_unique<BaselineModel>(std::move(written)));
}

Result<std::unique_ptr<Model>> BaselineLearner::load(const std::filesystem::path& file,
                                                     const LabelSpace& space,
                                                     std::size_t columns) const {
  TRY(const auto text, read_file(file));
  auto written = json::read<Written>(text);
  if (!written.ok()) return data_loss(file.string() + ": " + written.error().message);
  if (written->outputs.size() != space.outputs() ||
      static_cast<std::size_t>(written->columns) != columns) {
    return data_loss(file.string() + " does not fit the package: other columns or classes");
  }
  return std::unique_ptr<Model>(std::make_unique<BaselineModel>(std::move(written).value()));
}

}  // namespace ciclo::train
