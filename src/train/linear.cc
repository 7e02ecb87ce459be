// SPDX-License-Identifier: Apache-2.0
#include "train/linear.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "base/file.h"
#include "base/json_fields.h"
#include "train/examples.h"
#include "train/minimise.h"
#include "train/parameters.h"

namespace ciclo::train {
namespace {

const ParameterRules& rules() {
  static const ParameterRules all = {
      "linear",
      {number_rule("l2", 1e-3, 0, 1e9), number_rule("l1", 0, 0, 1e9),
       bool_rule("standardise", true), int_rule("iterations_max", 1000, 1, 1'000'000),
       positive_rule("tolerance", 1e-7, 1)},
      {{"C", "l2"},
       {"alpha", "l2"},
       {"reg_lambda", "l2"},
       {"reg_alpha", "l1"},
       {"max_iter", "iterations_max"},
       {"tol", "tolerance"},
       {"l1_ratio", "l1"}}};
  return all;
}

// One weight vector for each output over columns centred at `center`.
struct Written {
  int format = 1;
  std::string learner = "linear";
  Task task = Task::kRegression;
  std::vector<double> center;
  std::vector<double> deviation;
  std::vector<double> intercepts;
  std::vector<std::vector<double>> weights;  // [output][column]

  template <class V>
  void fields(V& v) {
    v("format", format);
    v("learner", learner);
    v("task", task);
    v("center", center);
    v("deviation", deviation);
    v("intercepts", intercepts);
    v("weights", weights);
  }
};

// e^x, without overflow for the larger branch.
double sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);
  return e / (1 + e);
}

void softmax(std::span<double> scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
}

class LinearModel final : public Model {
 public:
  explicit LinearModel(Written written) : written_(std::move(written)) {}

  std::string_view kind() const override { return "linear"; }
  std::size_t columns() const override { return written_.center.size(); }
  std::size_t outputs() const override { return written_.weights.size(); }

  Result<void> predict(const Matrix& rows, std::span<double> out) const override {
    CHECK(rows.columns == columns());
    CHECK(out.size() == rows.rows * outputs());
    for (std::size_t row = 0; row < rows.rows; ++row) {
      const float* x = rows.values.data() + row * columns();
      const auto scores = out.subspan(row * outputs(), outputs());
      for (std::size_t k = 0; k < outputs(); ++k) scores[k] = score(x, k);
      if (written_.task == Task::kBinary) scores[0] = sigmoid(scores[0]);
      if (written_.task == Task::kMulticlass) softmax(scores);
    }
    return {};
  }

  std::vector<double> importance() const override {
    std::vector<double> shares(columns());
    double total = 0;
    for (std::size_t j = 0; j < columns(); ++j) {
      for (const auto& weights : written_.weights) {
        shares[j] += std::abs(weights[j]) * written_.deviation[j];
      }
      total += shares[j];
    }
    if (total > 0) {
      for (double& share : shares) share /= total;
    }
    return shares;
  }

  std::string_view file_name() const override { return "model.json"; }
  Result<void> save(const std::filesystem::path& file) const override {
    return write_file_durably(file, json::write(written_));
  }

 private:
  double score(const float* x, std::size_t output) const {
    double sum = written_.intercepts[output];
    const auto& weights = written_.weights[output];
    for (std::size_t j = 0; j < weights.size(); ++j) {
      const double value = static_cast<double>(x[j]);
      if (!std::isnan(value)) sum += weights[j] * (value - written_.center[j]);
    }
    return sum;
  }

  Written written_;
};

// The training rows centred, and scaled when asked for; a missing value is 0.
struct Design {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;
  std::vector<double> weights;  // adding up to 1
  std::vector<double> center;
  std::vector<double> deviation;
  std::vector<double> scale;  // what values were divided by
};

Design make_design(const Examples& training, bool standardise) {
  const auto& features = training.features;
  Design design;
  design.rows = features.rows;
  design.columns = features.columns;
  double total = 0;
  for (std::size_t row = 0; row < design.rows; ++row) total += weight_of(training, row);
  for (std::size_t row = 0; row < design.rows; ++row) {
    design.weights.push_back(weight_of(training, row) / total);
  }
  design.values.resize(design.rows * design.columns);
  design.center.assign(design.columns, 0);
  design.deviation.assign(design.columns, 0);
  design.scale.assign(design.columns, 1);
  for (std::size_t j = 0; j < design.columns; ++j) {
    const auto at = [&](std::size_t row) {
      return static_cast<double>(features.values[row * design.columns + j]);
    };
    double present = 0;
    for (std::size_t row = 0; row < design.rows; ++row) {
      if (std::isnan(at(row))) continue;
      present += design.weights[row];
      design.center[j] += design.weights[row] * at(row);
    }
    if (present > 0) design.center[j] /= present;
    double squares = 0;
    for (std::size_t row = 0; row < design.rows; ++row) {
      const double value = std::isnan(at(row)) ? 0 : at(row) - design.center[j];
      design.values[row * design.columns + j] = value;
      squares += design.weights[row] * value * value;
    }
    design.deviation[j] = std::sqrt(squares);
    // What rounding leaves of a constant must not be blown up.
    if (!standardise || design.deviation[j] <= 1e-9 * std::abs(design.center[j])) continue;
    if (design.deviation[j] == 0) continue;
    design.scale[j] = design.deviation[j];
    for (std::size_t row = 0; row < design.rows; ++row) {
      design.values[row * design.columns + j] /= design.scale[j];
    }
  }
  return design;
}

// The mean loss over the rows and the quadratic penalty. The unknowns are, for each output, the
// weights of the columns and then the intercept.
class Objective {
 public:
  Objective(const LabelSpace& space, const Design& design, std::span<const double> labels,
            double l2)
      : space_(space), design_(design), labels_(labels), l2_(l2), scores_(space.outputs()) {}

  std::size_t unknowns() const { return scores_.size() * (design_.columns + 1); }

  double operator()(std::span<const double> x, std::span<double> gradient) {
    std::fill(gradient.begin(), gradient.end(), 0.0);
    const std::size_t stride = design_.columns + 1;
    double loss = 0;
    for (std::size_t row = 0; row < design_.rows; ++row) {
      const double* values = design_.values.data() + row * design_.columns;
      for (std::size_t k = 0; k < scores_.size(); ++k) {
        const double* w = x.data() + k * stride;
        double score = w[design_.columns];
        for (std::size_t j = 0; j < design_.columns; ++j) score += w[j] * values[j];
        scores_[k] = score;
      }
      // From here on scores_ holds the derivative of the row's loss.
      loss += design_.weights[row] * differentiate(labels_[row]);
      for (std::size_t k = 0; k < scores_.size(); ++k) {
        const double slope = design_.weights[row] * scores_[k];
        double* g = gradient.data() + k * stride;
        for (std::size_t j = 0; j < design_.columns; ++j) g[j] += slope * values[j];
        g[design_.columns] += slope;
      }
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i % stride == design_.columns) continue;
      loss += l2_ / 2 * x[i] * x[i];
      gradient[i] += l2_ * x[i];
    }
    return loss;
  }

 private:
  double differentiate(double label) {
    if (space_.task == Task::kRegression) {
      const double error = scores_[0] - label;
      scores_[0] = error;
      return error * error / 2;
    }
    if (space_.task == Task::kBinary) {
      const double score = scores_[0];
      scores_[0] = sigmoid(score) - label;
      // log(1 + e^score) − label · score
      return std::max(score, 0.0) + std::log1p(std::exp(-std::abs(score))) - label * score;
    }
    const double largest = *std::max_element(scores_.begin(), scores_.end());
    const auto k = static_cast<std::size_t>(label);
    const double own = scores_[k] - largest;
    double sum = 0;
    for (const double score : scores_) sum += std::exp(score - largest);
    softmax(scores_);
    scores_[k] -= 1;
    return std::log(sum) - own;
  }

  const LabelSpace& space_;
  const Design& design_;
  std::span<const double> labels_;
  double l2_;
  std::vector<double> scores_;
};

// Regression is solved for the label scaled to mean 0 and deviation 1, so that the tolerance means
// the same for every unit of measurement; the penalty l1 scales with it.
struct LabelScale {
  double mean = 0;
  double deviation = 1;
};

LabelScale label_scale(const LabelSpace& space, const Design& design,
                       std::span<const float> labels) {
  LabelScale scale;
  if (space.task != Task::kRegression) return scale;
  for (std::size_t row = 0; row < design.rows; ++row) {
    scale.mean += design.weights[row] * static_cast<double>(labels[row]);
  }
  double squares = 0;
  for (std::size_t row = 0; row < design.rows; ++row) {
    const double error = static_cast<double>(labels[row]) - scale.mean;
    squares += design.weights[row] * error * error;
  }
  if (squares > 0) scale.deviation = std::sqrt(squares);
  return scale;
}

}  // namespace

Result<json::Value> LinearLearner::check_parameters(const json::Value& parameters) const {
  return apply_rules(rules(), parameters);
}

Result<std::unique_ptr<Model>> LinearLearner::fit(const LabelSpace& space, const Examples& training,
                                                  const std::optional<Examples>& validation,
                                                  const json::Value& parameters,
                                                  const FitOptions&) const {
  TRY(const auto settings, check_parameters(parameters));
  TRY(check_examples(space, training, validation));
  Design design = make_design(training, settings.find("standardise")->boolean());
  const LabelScale scale = label_scale(space, design, training.labels);
  std::vector<double> labels(training.labels.begin(), training.labels.end());
  for (double& label : labels) label = (label - scale.mean) / scale.deviation;
  Objective objective(space, design, labels, number_of(settings, "l2"));
  MinimiseOptions minimising;
  minimising.iterations_max = int_of(settings, "iterations_max");
  minimising.gradient_max = number_of(settings, "tolerance");
  const std::size_t stride = design.columns + 1;
  minimising.l1.assign(objective.unknowns(), number_of(settings, "l1") / scale.deviation);
  for (std::size_t k = 0; k < space.outputs(); ++k) {
    minimising.l1[k * stride + design.columns] = 0;
  }
  const auto solution = minimise(
      [&](std::span<const double> x, std::span<double> gradient) { return objective(x, gradient); },
      std::vector<double>(objective.unknowns()), minimising);

  Written written;
  written.task = space.task;
  written.center = std::move(design.center);
  written.deviation = std::move(design.deviation);
  for (std::size_t k = 0; k < space.outputs(); ++k) {
    std::vector<double> weights(design.columns);
    for (std::size_t j = 0; j < design.columns; ++j) {
      weights[j] = solution[k * stride + j] / design.scale[j] * scale.deviation;
    }
    written.weights.push_back(std::move(weights));
    written.intercepts.push_back(solution[k * stride + design.columns] * scale.deviation +
                                 scale.mean);
  }
  return std::unique_ptr<Model>(std::make_unique<LinearModel>(std::move(written)));
}

Result<std::unique_ptr<Model>> LinearLearner::load(const std::filesystem::path& file,
                                                   const LabelSpace& space,
                                                   std::size_t columns) const {
  TRY(const auto text, read_file(file));
  auto written = json::read<Written>(text);
  if (!written.ok()) return data_loss(file.string() + ": " + written.error().message);
  bool fits = written->task == space.task && written->center.size() == columns &&
              written->deviation.size() == columns && written->weights.size() == space.outputs() &&
              written->intercepts.size() == space.outputs();
  for (const auto& weights : written->weights) fits = fits && weights.size() == columns;
  if (!fits) {
    return data_loss(file.string() + " does not fit the package: other columns or classes");
  }
  return std::unique_ptr<Model>(std::make_unique<LinearModel>(std::move(written).value()));
}

}  // namespace ciclo::train
