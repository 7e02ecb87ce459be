// SPDX-License-Identifier: Apache-2.0
#include "train/label.h"

#include <gtest/gtest.h>

namespace ciclo::train {
namespace {

LabelSpace binary(std::string no, std::string yes) {
  return {Task::kBinary, {std::move(no), std::move(yes)}};
}

double number_of(const char* text, const LabelSpace& space) {
  const auto label = json::parse(text);
  EXPECT_TRUE(label.ok()) << text;
  const auto number = label_number(*label, space);
  EXPECT_TRUE(number.ok()) << number.error().message;
  return number.ok() ? *number : -1;
}

std::string refusal_of(const char* text, const LabelSpace& space) {
  const auto number = label_number(*json::parse(text), space);
  EXPECT_FALSE(number.ok()) << text;
  return number.ok() ? "" : number.error().message;
}

TEST(Label, yes_and_no_are_taken_in_every_spelling) {
  for (const auto& space : {binary("0", "1"), binary("false", "true")}) {
    for (const char* yes : {"1", "1.0", "true", "\"1\"", "\"1.0\"", "\"true\""}) {
      EXPECT_EQ(number_of(yes, space), 1) << yes << " of " << space.classes[1];
    }
    for (const char* no : {"0", "false", "\"0\"", "\"false\""}) {
      EXPECT_EQ(number_of(no, space), 0) << no << " of " << space.classes[0];
    }
  }
}

TEST(Label, names_decide_before_numbers) {
  const LabelSpace space{Task::kMulticlass, {"01", "1", "setosa"}};
  EXPECT_EQ(number_of("\"01\"", space), 0);
  EXPECT_EQ(number_of("\"1\"", space), 1);
  EXPECT_EQ(number_of("\"setosa\"", space), 2);
}

TEST(Label, what_is_no_class_is_refused_with_the_classes) {
  EXPECT_EQ(refusal_of("2", binary("0", "1")),
            "label 2: must be a class that the model knows: \"0\" or \"1\"");
  EXPECT_EQ(refusal_of("\"perhaps\"", binary("no", "yes")),
            "label \"perhaps\": must be a class that the model knows: \"no\" or \"yes\"");
  EXPECT_EQ(refusal_of("true", binary("no", "yes")),
            "label true: must be a class that the model knows: \"no\" or \"yes\"");
  refusal_of("null", binary("0", "1"));
  refusal_of("[1]", binary("0", "1"));
}

TEST(Label, a_regression_takes_finite_numbers) {
  const LabelSpace space{Task::kRegression, {}};
  EXPECT_EQ(number_of("-2.5", space), -2.5);
  EXPECT_EQ(number_of("\"7\"", space), 7);
  EXPECT_EQ(refusal_of("1e39", space), "label 1e+39: must be a finite number within ±3.4e38");
  refusal_of("true", space);
  refusal_of("\"inf\"", space);
  refusal_of("\"late\"", space);
}

TEST(Label, is_written_in_the_type_of_the_target) {
  data::Column text{.name = "t", .type = data::ColumnType::kText};
  append_label(text, 1, binary("no", "yes"));
  EXPECT_EQ(text.texts.back(), "yes");
  data::Column boolean{.name = "t", .type = data::ColumnType::kBoolean};
  append_label(boolean, 1, binary("false", "true"));
  append_label(boolean, 0, binary("false", "true"));
  EXPECT_EQ(boolean.numbers, (std::vector<double>{1, 0}));
  data::Column whole{.name = "t", .type = data::ColumnType::kInteger};
  append_label(whole, 1, binary("3", "8"));
  EXPECT_EQ(whole.numbers.back(), 8);
  data::Column number{.name = "t", .type = data::ColumnType::kNumber};
  append_label(number, 2.25, {Task::kRegression, {}});
  EXPECT_EQ(number.numbers.back(), 2.25);
}

}  // namespace
}  // namespace ciclo::train
