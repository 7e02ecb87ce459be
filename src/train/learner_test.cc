// SPDX-License-Identifier: Apache-2.0
#include "train/learner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/file.h"
#include "base/random.h"

namespace ciclo::train {
namespace {

const std::vector<float> kX = {0.5F, -1.2F, 3.0F, 1.5F,  0.3F, -0.7F, -0.8F, 2.2F, 0.1F,
                               0.0F, -0.5F, 1.1F, 2.3F,  1.7F, -2.0F, -1.1F, 0.9F, 0.4F,
                               0.7F, -2.1F, 1.9F, 1.2F,  0.1F, 0.6F,  -0.3F, 1.4F, -1.5F,
                               0.9F, -0.7F, 2.2F, -1.9F, 0.2F, 0.8F,  0.4F,  1.1F, -0.6F};
const std::vector<float> kBinary = {1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1};
const std::vector<float> kClasses = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 2, 1};
const std::vector<float> kValues = {3.1F, 0.2F, -1.4F, 0.8F, -2.2F, -1.9F,
                                    4.0F, 1.1F, -2.5F, 2.9F, -1.0F, -0.4F};
const std::vector<float> kWeights = {1, 2, 1, 1, .5F, 1, 3, 1, 1, 1, 2, 1};

const LabelSpace kBinarySpace{Task::kBinary, {"no", "yes"}};
const LabelSpace kClassSpace{Task::kMulticlass, {"a", "b", "c"}};
const LabelSpace kValueSpace{Task::kRegression, {}};

const Learner& learner(std::string_view kind) { return *find_learner(kind).value(); }

json::Value parameters(std::string_view text) { return json::parse(text).value(); }

std::unique_ptr<Model> fit(std::string_view kind, const LabelSpace& space, const Examples& training,
                           std::string_view settings,
                           const std::optional<Examples>& validation = {},
                           const FitOptions& options = {}) {
  auto model = learner(kind).fit(space, training, validation, parameters(settings), options);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message);
  return std::move(model).value();
}

std::vector<double> predict(const Model& model, const Matrix& rows) {
  std::vector<double> out(rows.rows * model.outputs());
  const auto predicted = model.predict(rows, out);
  EXPECT_TRUE(predicted.ok()) << (predicted.ok() ? "" : predicted.error().message);
  return out;
}

// The first numbers, against values of scikit-learn 1.9.1 that were computed to convergence. Both
// minimise the same function; the gradient is below 1e-10 here, which leaves less than 1e-8.
void expect_near(const std::vector<double>& found, const std::vector<double>& expected,
                 double tolerance = 1e-8) {
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance);
}

TEST(Linear, logistic_regression_equals_scikit_learn) {
  const auto model = fit("linear", kBinarySpace, {{kX, 12, 3}, kBinary, {}},
                         R"({"l2": 0.1, "standardise": false, "tolerance": 1e-10})");
  expect_near(predict(*model, {kX, 12, 3}),
              {0.8377908148496288, 0.26125267465931723, 0.5823765322895083, 0.5800695615931366});
}

TEST(Linear, sample_weights_count_as_in_scikit_learn) {
  const auto model = fit("linear", kBinarySpace, {{kX, 12, 3}, kBinary, kWeights},
                         R"({"l2": 0.1, "standardise": false, "tolerance": 1e-10})");
  expect_near(predict(*model, {kX, 12, 3}),
              {0.8743624153358339, 0.3019195596017617, 0.414369167841112, 0.5958408208560741});
}

TEST(Linear, softmax_regression_equals_scikit_learn) {
  const auto model = fit("linear", kClassSpace, {{kX, 12, 3}, kClasses, {}},
                         R"({"l2": 0.1, "standardise": false, "tolerance": 1e-10})");
  expect_near(predict(*model, {kX, 12, 3}),
              {0.956465021796074, 0.031207801712973538, 0.012327176490952444, 0.06375149245274211,
               0.8746921312187038, 0.06155637632855397});
}

TEST(Linear, elastic_net_equals_scikit_learn_and_drops_columns) {
  // saga stops at 1e-12 relative change of the weights, which is worth about 1e-7 here.
  const auto logistic =
      fit("linear", kBinarySpace, {{kX, 12, 3}, kBinary, {}},
          R"({"l1": 0.06, "l2": 0.04, "standardise": false, "tolerance": 1e-10})");
  expect_near(predict(*logistic, {kX, 12, 3}),
              {0.8288981536655168, 0.32554195646027845, 0.46371719455536065, 0.596494218682321},
              1e-6);
  EXPECT_EQ(logistic->importance()[0], 0);
  const auto squared = fit("linear", kValueSpace, {{kX, 12, 3}, kValues, {}},
                           R"({"l1": 0.4, "l2": 0.1, "standardise": false, "tolerance": 1e-10})");
  expect_near(predict(*squared, {kX, 12, 3}),
              {2.754150998783567, -0.13502368532114922, -1.5657831322313314, 1.0730462996856072});
}

TEST(Linear, ridge_equals_scikit_learn) {
  const auto model = fit("linear", kValueSpace, {{kX, 12, 3}, kValues, {}},
                         R"({"l2": 0.1, "standardise": false, "tolerance": 1e-10})");
  expect_near(predict(*model, {kX, 12, 3}),
              {3.4130348721193635, 0.023188209102953883, -2.042808185059268, 1.13812131856931});
}

TEST(Linear, standardising_makes_the_unit_of_a_column_irrelevant) {
  auto scaled = kX;
  for (std::size_t i = 0; i < scaled.size(); i += 3) scaled[i] *= 1024;
  const auto one = fit("linear", kBinarySpace, {{kX, 12, 3}, kBinary, {}}, "{}");
  const auto other = fit("linear", kBinarySpace, {{scaled, 12, 3}, kBinary, {}}, "{}");
  expect_near(predict(*other, {scaled, 12, 3}), predict(*one, {kX, 12, 3}), 1e-5);
}

TEST(Linear, missing_value_counts_as_the_mean) {
  const auto model = fit("linear", kValueSpace, {{kX, 12, 3}, kValues, {}}, "{}");
  const float missing = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> row = {missing, missing, missing};
  double mean = 0;
  for (const float value : kValues) mean += static_cast<double>(value) / 12;
  EXPECT_NEAR(predict(*model, {row, 1, 3})[0], mean, 1e-6);
}

TEST(Baseline, predicts_weighted_shares_or_the_mean) {
  const auto binary = fit("baseline", kBinarySpace, {{kX, 12, 3}, kBinary, kWeights}, "{}");
  EXPECT_NEAR(predict(*binary, {kX, 12, 3})[5], 8.0 / 15.5, 1e-12);
  const auto classes = fit("baseline", kClassSpace, {{kX, 12, 3}, kClasses, {}}, "{}");
  expect_near(predict(*classes, {kX, 12, 3}), {1.0 / 3, 1.0 / 3, 1.0 / 3});
}

// Rows that trees can learn: two informative columns, one of noise, some values missing.
struct Table {
  std::vector<float> x;
  std::vector<float> binary;
  std::vector<float> classes;
  std::vector<float> values;
  std::size_t rows;

  explicit Table(std::size_t count, std::uint64_t seed = 1) : rows(count) {
    SeededRandom random(seed);
    for (std::size_t i = 0; i < rows; ++i) {
      const double a = random.normal();
      const double b = random.normal();
      const bool missing = random.uniform() < 0.05;
      x.push_back(missing ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(a));
      x.push_back(static_cast<float>(b));
      x.push_back(static_cast<float>(random.uniform()));
      const double signal = a * b + a;
      binary.push_back(signal + 0.5 * random.normal() > 0 ? 1 : 0);
      classes.push_back(signal > 0.7 ? 2 : signal > -0.7 ? 1 : 0);
      values.push_back(static_cast<float>(signal));
    }
  }
  Matrix matrix() const { return {x, rows, 3}; }
  const std::vector<float>& labels(const LabelSpace& space) const {
    if (space.task == Task::kBinary) return binary;
    return space.task == Task::kMulticlass ? classes : values;
  }
};

class Trees : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Learners, Trees, testing::Values("xgboost", "lightgbm"));

TEST_P(Trees, learn_each_task_and_survive_saving) {
  const Table training(2000);
  const Table unseen(500, 2);
  TemporaryDirectory directory;
  for (const auto* space : {&kBinarySpace, &kClassSpace, &kValueSpace}) {
    const auto model = fit(GetParam(), *space, {training.matrix(), training.labels(*space), {}},
                           R"({"rounds": 30})");
    const auto predicted = predict(*model, unseen.matrix());
    const auto& labels = unseen.labels(*space);
    std::size_t right = 0;
    double error = 0;
    for (std::size_t row = 0; row < unseen.rows; ++row) {
      const double* p = predicted.data() + row * model->outputs();
      if (space->task == Task::kBinary) right += (p[0] > 0.5) == (labels[row] == 1);
      if (space->task == Task::kMulticlass) {
        const auto best = static_cast<float>(std::max_element(p, p + 3) - p);
        right += best == labels[row];
        EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-5);
      }
      if (space->task == Task::kRegression) error += std::pow(p[0] - double{labels[row]}, 2);
    }
    if (space->task == Task::kRegression) {
      EXPECT_LT(error / 500, 0.5);  // the variance is about 2
    } else {
      EXPECT_GT(right, 375U);
    }
    EXPECT_EQ(model->rounds(), 30);
    const auto importance = model->importance();
    EXPECT_NEAR(importance[0] + importance[1] + importance[2], 1, 1e-6);
    EXPECT_GT(importance[0], importance[2]);

    const auto file = directory.path() / model->file_name();
    ASSERT_TRUE(model->save(file).ok());
    const auto loaded = learner(GetParam()).load(file, *space, 3);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(predict(**loaded, unseen.matrix()), predicted);
    EXPECT_EQ((*loaded)->rounds(), 30);
    const auto wrong = learner(GetParam()).load(file, *space, 4);
    ASSERT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.error().code, Code::kDataLoss);
  }
}

TEST_P(Trees, same_seed_gives_the_same_model) {
  const Table training(1000);
  const auto settings = GetParam() == "xgboost"
                            ? R"({"rounds": 10, "subsample": 0.5})"
                            : R"({"rounds": 10, "bagging_fraction": 0.5, "bagging_freq": 1})";
  const auto run = [&](std::uint64_t seed) {
    const auto model = fit(GetParam(), kBinarySpace, {training.matrix(), training.binary, {}},
                           settings, {}, {.seed = seed, .threads = 2});
    return predict(*model, training.matrix());
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST_P(Trees, report_each_round_and_stop_at_the_best) {
  const Table training(300);
  const Table validation(300, 2);
  std::vector<Round> rounds;
  FitOptions options;
  options.on_round = [&](const Round& round) {
    rounds.push_back(round);
    return true;
  };
  const auto model = fit(GetParam(), kBinarySpace, {training.matrix(), training.binary, {}},
                         R"({"rounds": 500, "learning_rate": 0.5, "early_stopping_rounds": 5})",
                         Examples{validation.matrix(), validation.binary, {}}, options);
  ASSERT_FALSE(rounds.empty());
  ASSERT_EQ(rounds[0].metrics.size(), 2U);
  EXPECT_EQ(rounds[0].metrics[0].first, "training.log_loss");
  EXPECT_EQ(rounds[0].metrics[1].first, "validation.log_loss");
  EXPECT_LT(rounds.size(), 500U);
  EXPECT_EQ(model->rounds(), static_cast<int>(rounds.size()) - 5);
  // The kept rounds give the best log loss that was reported.
  double best = 1e9;
  for (const auto& round : rounds) best = std::min(best, round.metrics[1].second);
  const auto predicted = predict(*model, validation.matrix());
  double loss = 0;
  for (std::size_t row = 0; row < 300; ++row) {
    loss -= std::log(validation.binary[row] == 1 ? predicted[row] : 1 - predicted[row]) / 300;
  }
  EXPECT_NEAR(loss, best, 1e-5);  // the report has five decimals in XGBoost
}

TEST_P(Trees, can_be_cancelled_between_rounds) {
  const Table training(100);
  FitOptions options;
  options.on_round = [](const Round& round) { return round.number < 2; };
  const auto model = learner(GetParam())
                         .fit(kBinarySpace, {training.matrix(), training.binary, {}}, {},
                              parameters("{}"), options);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kCancelled);
}

TEST_P(Trees, weights_change_what_is_learned) {
  const Table training(200);
  std::vector<float> weights;
  for (const float label : training.binary) weights.push_back(label == 1 ? 10 : 0.1F);
  const auto plain =
      fit(GetParam(), kBinarySpace, {training.matrix(), training.binary, {}}, R"({"rounds": 5})");
  const auto weighted = fit(GetParam(), kBinarySpace, {training.matrix(), training.binary, weights},
                            R"({"rounds": 5})");
  double before = 0;
  double after = 0;
  for (const double p : predict(*plain, training.matrix())) before += p;
  for (const double p : predict(*weighted, training.matrix())) after += p;
  EXPECT_GT(after, before * 1.2);
}

TEST_P(Trees, predict_from_many_threads_as_from_one) {
  const Table training(500);
  const auto model =
      fit(GetParam(), kClassSpace, {training.matrix(), training.classes, {}}, R"({"rounds": 10})");
  const auto expected = predict(*model, training.matrix());
  std::vector<std::vector<double>> found(4, std::vector<double>(expected.size()));
  std::vector<std::thread> threads;
  for (auto& out : found) {
    threads.emplace_back([&] {
      for (std::size_t row = 0; row < training.rows; ++row) {
        const Matrix one{std::span(training.x).subspan(row * 3, 3), 1, 3};
        EXPECT_TRUE(model->predict(one, std::span(out).subspan(row * 3, 3)).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& out : found) EXPECT_EQ(out, expected);
}

TEST_P(Trees, take_feature_names_of_any_kind) {
  const Table training(100);
  FitOptions options;
  options.feature_names = {"a=\"x\", [b]", "größe <3>", "t.hour"};
  const auto model = fit(GetParam(), kBinarySpace, {training.matrix(), training.binary, {}},
                         R"({"rounds": 3})", {}, options);
  const auto importance = model->importance();
  EXPECT_NEAR(importance[0] + importance[1] + importance[2], 1, 1e-6);
}

TEST_P(Trees, file_that_is_no_model_is_data_loss) {
  TemporaryDirectory directory;
  const auto file = directory.path() / "model";
  ASSERT_TRUE(write_file_durably(file, "this is no model").ok());
  const auto model = learner(GetParam()).load(file, kBinarySpace, 3);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, Code::kDataLoss);
}

std::string parameter_error(std::string_view kind, std::string_view text) {
  const auto checked = learner(kind).check_parameters(parameters(text));
  return checked.ok() ? "" : checked.error().message;
}

TEST(Parameters, errors_say_what_would_be_right) {
  EXPECT_EQ(parameter_error("xgboost", R"({"max_dept": 3})"),
            "parameter \"max_dept\" is not known to xgboost; did you mean \"max_depth\"?");
  EXPECT_EQ(parameter_error("xgboost", R"({"n_estimators": 3})"),
            "parameter \"n_estimators\" is not known to xgboost; did you mean \"rounds\"?");
  EXPECT_EQ(parameter_error("xgboost", R"({"max_depth": 2.5})"),
            "parameter \"max_depth\" of xgboost must be a whole number from 0 to 64, got 2.5");
  EXPECT_EQ(parameter_error("lightgbm", R"({"learning_rate": 0})"),
            "parameter \"learning_rate\" of lightgbm must be a number above 0, at most 1, got 0");
  EXPECT_EQ(parameter_error("xgboost", R"({"booster": "gblinear"})"),
            "parameter \"booster\" of xgboost must be one of gbtree, dart, got \"gblinear\"");
  EXPECT_EQ(parameter_error("xgboost", R"({"booster": "dart", "early_stopping_rounds": 5})"),
            "parameter \"early_stopping_rounds\" cannot be used with dart, which changes the trees "
            "of earlier rounds; leave it 0");
  EXPECT_EQ(parameter_error("linear", "[]"),
            "parameters of linear: expected an object, got an array");
}

TEST(Parameters, equal_settings_become_equal_texts) {
  const auto one =
      learner("xgboost").check_parameters(parameters(R"({"max_depth": 6, "gamma": 1})"));
  const auto two = learner("xgboost").check_parameters(parameters(R"({"gamma": 1.0})"));
  EXPECT_EQ(json::dump(*one), json::dump(*two));
}

TEST(Learners, unknown_one_is_refused_with_a_proposal) {
  EXPECT_EQ(find_learner("xgbost").error().message,
            "learner \"xgbost\" is not known; did you mean \"xgboost\"?");
}

TEST(Learners, bad_examples_are_refused) {
  const auto error = [](const LabelSpace& space, const Examples& examples) {
    const auto model = learner("baseline").fit(space, examples, {}, {}, {});
    return model.ok() ? "" : model.error().message;
  };
  const std::vector<float> bad_weights = {1, 2, 1, 1, 0, 1, 3, 1, 1, 1, 2, 1};
  EXPECT_EQ(error(kBinarySpace, {{{}, 0, 3}, {}, {}}), "training data has no rows");
  EXPECT_EQ(error(kBinarySpace, {{kX, 12, 3}, kClasses, {}}),
            "training data: row 3 has no usable label");
  EXPECT_EQ(error(kBinarySpace, {{kX, 12, 3}, kBinary, bad_weights}),
            "training data: the weight of row 5 must be a positive number, got 0.000000");
}

data::Column text_label(const std::vector<std::string>& values) {
  data::Column column;
  column.name = "y";
  column.type = data::ColumnType::kText;
  for (const auto& value : values) column.append(std::string_view(value));
  return column;
}

data::Column number_label(std::vector<double> values,
                          data::ColumnType type = data::ColumnType::kNumber) {
  return {"y", type, std::move(values), {}, {}};
}

std::string label_error(const data::Column& label, Task task,
                        std::optional<std::string> positive = {}) {
  const auto space = label_space(label, task, std::move(positive));
  return space.ok() ? "" : space.error().message;
}

TEST(Labels, task_follows_from_the_values) {
  EXPECT_EQ(infer_task(text_label({"a", "b", "a"})), Task::kBinary);
  EXPECT_EQ(infer_task(text_label({"a", "b", "c"})), Task::kMulticlass);
  EXPECT_EQ(infer_task(number_label({0, 1, 1})), Task::kBinary);
  EXPECT_EQ(infer_task(number_label({0, 1, 2})), Task::kMulticlass);
  EXPECT_EQ(infer_task(number_label({0, 1, 2.5})), Task::kRegression);
  EXPECT_EQ(infer_task(number_label({0, 1}, data::ColumnType::kBoolean)), Task::kBinary);
}

TEST(Labels, classes_are_in_order_and_the_positive_one_can_be_chosen) {
  EXPECT_EQ(label_space(text_label({"b", "a"}), Task::kBinary)->classes,
            (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(label_space(text_label({"b", "a"}), Task::kBinary, "a")->classes,
            (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(label_space(number_label({10, 9, 2}), Task::kMulticlass)->classes,
            (std::vector<std::string>{"2", "9", "10"}));
  const auto type = data::ColumnType::kBoolean;
  const auto space = label_space(number_label({1, 0}, type), Task::kBinary);
  EXPECT_EQ(space->classes, (std::vector<std::string>{"false", "true"}));
  EXPECT_EQ(*label_values(number_label({1, 0, 1}, type), *space), (std::vector<float>{1, 0, 1}));
}

TEST(Labels, what_cannot_be_learned_is_refused_in_one_sentence) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(label_error(number_label({}), Task::kBinary), "label column \"y\" has no rows");
  EXPECT_EQ(label_error(number_label({1, std::nan("")}), Task::kBinary),
            "label column \"y\" has no value in row 2; leave out rows without a label");
  EXPECT_EQ(label_error(number_label({infinity}), Task::kRegression),
            "label column \"y\" holds an infinite value in row 1");
  EXPECT_EQ(label_error(number_label({3, 3}), Task::kRegression),
            "label column \"y\" is constant (3 in every row), so there is nothing to learn");
  EXPECT_EQ(label_error(text_label({"a", "a"}), Task::kBinary),
            "label column \"y\" holds one class only (\"a\"), so there is nothing to learn");
  EXPECT_EQ(label_error(text_label({"a", "b", "c"}), Task::kBinary),
            "label column \"y\" holds 3 classes, and a binary task has two; use task: multiclass");
  EXPECT_EQ(label_error(text_label({"a", "b"}), Task::kBinary, "yes"),
            "positive class \"yes\" does not occur in label column \"y\", which holds a and b");
  EXPECT_EQ(label_error(text_label({"a", "b"}), Task::kRegression),
            "label column \"y\" holds text, which regression cannot learn; use task: binary or "
            "multiclass");
  const auto unseen = label_values(text_label({"z"}), {Task::kBinary, {"a", "b"}});
  EXPECT_EQ(unseen.error().message,
            "label column \"y\" holds the class \"z\", which did not occur in training");
}

TEST(LabelNumbers, large_targets_keep_their_digits) {
  const data::Column label{"y", data::ColumnType::kNumber, {16777217, 123456789.25, 3}, {}, {}};
  const auto space = label_space(label, Task::kRegression);
  ASSERT_TRUE(space.ok());
  EXPECT_EQ(*label_numbers(label, *space), label.numbers);
  EXPECT_EQ(label_values(label, *space)->at(0), 16777216.0F);
}

}  // namespace
}  // namespace ciclo::train
