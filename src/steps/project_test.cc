// SPDX-License-Identifier: Apache-2.0
#include "steps/project.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "steps/pipelines_of_project.h"

namespace ciclo::steps {
namespace {

constexpr const char* kMinimal = R"(
project: churn
data:
  customers: {files: customers.csv}
target: {column: churn, task: binary}
)";

constexpr const char* kFull = R"(
project: churn
data:
  customers: {files: customers.csv}
  visits: {files: [a.csv, b.csv], null_texts: ["?"]}
table:
  from: customers
  time: since
  until: 2020-01-01
  where: country = 'ch'
  joins:
    - {data: visits, on: {id: customer}, as_of: {time: at, max_age: 2d}, columns: {visits_last: count}}
target: churn
split: {by: time, validation: 0.1, test: 0.2}
train:
  learner: xgboost
  parameters: {max_depth: 3}
tune:
  trials: 2
  space:
    max_depth: {low: 2, high: 4, type: int}
gate:
  thresholds:
    - {metric: auc, min: 0.6}
deploy: {endpoint: churn}
monitor: {window: 1d}
retrain: {on: [drift], window: 30d, cooldown: 1w}
)";

std::string error_of(const std::string& text) {
  auto project = parse_project(text, "ciclo.yaml");
  return project.ok() ? "" : project.error().message;
}

Submission submission_of(const Project& project) {
  Submission submission;
  submission.project = project.source;
  for (const auto& [table, source] : project.data)
    submission.files[table] = {{"x.csv", std::string(64, '0')}};
  return submission;
}

std::vector<std::string> names_of(const pipeline::PipelineSpec& spec) {
  std::vector<std::string> names;
  for (const auto& step : spec.steps) names.push_back(step.name);
  return names;
}

TEST(Project, minimal_document_gets_defaults) {
  auto project = parse_project(kMinimal, "ciclo.yaml");
  ASSERT_TRUE(project.ok()) << project.error().message;
  EXPECT_EQ(project->table.query.from, "customers");
  EXPECT_EQ(project->train.learner, "xgboost");
  EXPECT_EQ(project->split.kind, data::SplitKind::kRandom);
  EXPECT_EQ(project->split.stratify, "churn");
}

TEST(Project, full_document_is_read) {
  auto project = parse_project(kFull, "ciclo.yaml");
  ASSERT_TRUE(project.ok()) << project.error().message;
  ASSERT_EQ(project->table.query.joins.size(), 1U);
  const data::Join& join = project->table.query.joins.front();
  EXPECT_EQ(join.keys.front().left, "id");
  EXPECT_EQ(join.keys.front().right, "customer");
  ASSERT_TRUE(join.as_of.has_value());
  EXPECT_EQ(join.as_of->left, "since");
  EXPECT_EQ(join.as_of->max_age_ms, 2 * 86'400'000LL);
  EXPECT_EQ(project->split.columns, std::vector<std::string>{"since"});
  EXPECT_EQ(project->retrain->cooldown_ms, 7 * 86'400'000LL);
  EXPECT_EQ(project->data.at("visits").options.null_texts, std::vector<std::string>{"?"});
}

TEST(Project, unknown_key_is_refused_with_place_and_suggestion) {
  const std::string error = error_of(std::string(kMinimal) + "deplyo: {endpoint: x}\n");
  EXPECT_NE(error.find("ciclo.yaml:6"), std::string::npos) << error;
  EXPECT_NE(error.find("did you mean \"deploy\"?"), std::string::npos) << error;
}

TEST(Project, invalid_yaml_names_line_and_column) {
  const std::string error = error_of("project: [unclosed\n");
  EXPECT_EQ(error.substr(0, 11), "ciclo.yaml:") << error;
}

TEST(Project, wrong_values_name_the_key_and_what_would_be_right) {
  EXPECT_NE(
      error_of(std::string(kMinimal) + "split: {by: magic}\n").find("time, hash, group, random"),
      std::string::npos);
  EXPECT_NE(error_of(std::string(kMinimal) + "split: {by: time}\n").find("needs table.time"),
            std::string::npos);
  EXPECT_NE(error_of(std::string(kMinimal) + "split: {test: 1.5}\n").find("between"),
            std::string::npos);
  EXPECT_NE(error_of(std::string(kMinimal) + "train: {learner: xgbost}\n").find("xgboost"),
            std::string::npos);
  EXPECT_NE(
      error_of(std::string(kMinimal) + "train: {parameters: {max_dept: 3}}\n").find("max_depth"),
      std::string::npos);
  EXPECT_NE(
      error_of(std::string(kMinimal) + "table: {from: nobody}\n").find("there are: customers"),
      std::string::npos);
  EXPECT_NE(error_of(std::string(kMinimal) + "retrain: {on: [rain]}\n").find("drift or quality"),
            std::string::npos);
  EXPECT_NE(error_of("data: {a: a.csv}\ntarget: y\n").find("\"project\" is missing"),
            std::string::npos);
}

TEST(Project, durations_have_a_unit) {
  EXPECT_EQ(*parse_duration("90s"), 90'000);
  EXPECT_EQ(*parse_duration("2w"), 14 * 86'400'000LL);
  for (const auto* text : {"", "7", "d", "-1d", "1.5h", "999999999d"}) {
    EXPECT_FALSE(parse_duration(text).ok()) << text;
  }
}

TEST(ProjectFile, schema_files_are_read_with_it) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(
      write_file_durably(directory.path() / "ciclo.yaml",
                         "project: p\ndata:\n  t: {files: t.csv, schema: t.yaml}\ntarget: y\n")
          .ok());
  auto missing = load_project(directory.path());
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message.find("t.yaml"), std::string::npos);
  ASSERT_TRUE(
      write_file_durably(directory.path() / "t.yaml", "columns:\n  - {name: y, type: integer}\n")
          .ok());
  auto project = load_project(directory.path());
  ASSERT_TRUE(project.ok()) << project.error().message;
  ASSERT_TRUE(project->data.at("t").schema.has_value());
  EXPECT_EQ(project->data.at("t").schema->columns.size(), 1U);
}

TEST(Project, json_lines_go_by_both_names) {
  for (const char* format : {"json", "jsonl"}) {
    auto project = parse_project(
        std::string("project: p\ndata: {t: {files: a.txt, format: ") + format + "}}\ntarget: y\n",
        "ciclo.yaml");
    ASSERT_TRUE(project.ok()) << project.error().message;
    EXPECT_EQ(project->data.at("t").options.format, format);
  }
}

TEST(Project, a_join_needs_keys_or_a_time) {
  const std::string head = R"(
project: p
data: {a: a.csv, b: b.csv}
target: y
table:
  from: a
  time: at
  joins:
    - )";
  EXPECT_EQ(error_of(head + "{data: b, as_of: {time: seen}}\n"), "");
  EXPECT_EQ(error_of(head + "{data: b}\n"),
            "ciclo.yaml:2:1: table.joins[0]: needs \"on\", \"as_of\" or both");
}

TEST(Project, the_positive_class_goes_to_the_steps_that_learn) {
  const auto with = [](const std::string& target) {
    return "project: p\ndata: {t: t.csv}\ntarget: " + target +
           "\ntune: {trials: 1, space: {max_depth: "
           "{low: 2, high: 3, type: int}}}\n";
  };
  for (const auto& [written, read] : std::vector<std::pair<std::string, std::string>>{
           {"churned", "churned"}, {"1", "1"}, {"true", "true"}}) {
    auto project =
        parse_project(with("{column: y, task: binary, positive: " + written + "}"), "ciclo.yaml");
    ASSERT_TRUE(project.ok()) << project.error().message;
    const auto spec = training_pipeline(*project, submission_of(*project));
    for (const auto& step : spec->steps) {
      if (step.kind != "tune" && step.kind != "train") continue;
      EXPECT_EQ(step.parameters.string_or("positive", ""), read);
      EXPECT_EQ(step.parameters.find("null_texts")->items().size(), 7U);
    }
  }
  EXPECT_EQ(error_of(with("{column: y, task: regression, positive: high}")),
            "ciclo.yaml:3:49: target.positive: only a binary task has a positive class, and the "
            "task is regression");
}

TEST(ProjectFile, missing_file_says_how_to_make_one) {
  const TemporaryDirectory directory;
  auto project = load_project(directory.path());
  ASSERT_FALSE(project.ok());
  EXPECT_EQ(project.error().code, Code::kNotFound);
  EXPECT_NE(project.error().message.find("ciclo init"), std::string::npos);
}

TEST(PipelinesOfProject, training_has_the_steps_that_the_project_asks_for) {
  auto small = parse_project(kMinimal, "ciclo.yaml");
  auto spec = training_pipeline(*small, submission_of(*small));
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(names_of(*spec), (std::vector<std::string>{"ingest_customers", "assemble", "split",
                                                       "train", "evaluate", "register"}));
  auto full = parse_project(kFull, "ciclo.yaml");
  spec = training_pipeline(*full, submission_of(*full));
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(names_of(*spec), (std::vector<std::string>{
                                 "ingest_customers", "ingest_visits", "assemble", "split", "tune",
                                 "train", "evaluate", "gate", "register", "window", "deploy"}));
}

TEST(PipelinesOfProject, the_window_of_the_monitor_is_told_to_no_step_before_the_registry) {
  const auto steps_with = [](const char* window) {
    std::string text = kFull;
    text.replace(text.find("window: 1d"), 10, std::string("window: ") + window);
    auto project = parse_project(text, "ciclo.yaml");
    return training_pipeline(*project, submission_of(*project))->steps;
  };
  const auto days = steps_with("1d");
  const auto weeks = steps_with("7d");
  ASSERT_EQ(days.size(), weeks.size());
  for (std::size_t i = 0; i < days.size(); ++i) {
    const bool is_told = days[i].kind == "window" || days[i].kind == "deploy";
    EXPECT_EQ(days[i].parameters == weeks[i].parameters, !is_told) << days[i].name;
  }
}

TEST(PipelinesOfProject, edges_of_every_pipeline_resolve) {
  for (const auto* text : {kMinimal, kFull}) {
    auto project = parse_project(text, "ciclo.yaml");
    auto spec = training_pipeline(*project, submission_of(*project));
    ASSERT_TRUE(spec.ok());
    auto graph = pipeline::resolve(*spec);
    EXPECT_TRUE(graph.ok()) << graph.error().message;
    Retrain retrain;
    retrain.base_artifact_id = "a1";
    graph = pipeline::resolve(retraining_pipeline(*project, retrain));
    EXPECT_TRUE(graph.ok()) << graph.error().message;
  }
}

TEST(PipelinesOfProject, attempts_come_from_the_document) {
  auto project = parse_project(std::string(kMinimal) +
                                   "pipeline: {retries: 1, timeout: 2h, steps: {train: {timeout: "
                                   "3d}, split: {retries: 0}}}\n",
                               "ciclo.yaml");
  ASSERT_TRUE(project.ok()) << project.error().message;
  const auto spec = training_pipeline(*project, submission_of(*project));
  ASSERT_TRUE(spec.ok());
  for (const auto& step : spec->steps) {
    EXPECT_EQ(step.retries, step.kind == "split" ? 0 : 1) << step.name;
    EXPECT_EQ(step.timeout_ms, (step.kind == "train" ? 72 : 2) * 3'600'000LL) << step.name;
  }
  project = parse_project(kMinimal, "ciclo.yaml");
  const auto usual = training_pipeline(*project, submission_of(*project));
  ASSERT_TRUE(usual.ok());
  for (const auto& step : usual->steps) {
    EXPECT_EQ(step.retries, 2);
    EXPECT_EQ(step.timeout_ms, 24 * 3'600'000LL);
  }
}

TEST(PipelinesOfProject, wrong_attempts_are_refused_with_their_place) {
  const std::string head = kMinimal;
  EXPECT_EQ(error_of(head + "pipeline: {retries: -1}\n"),
            "ciclo.yaml:6:21: pipeline.retries: must lie between 0 and 100, got -1");
  EXPECT_EQ(error_of(head + "pipeline: {timeout: soon}\n"),
            "ciclo.yaml:6:21: pipeline.timeout: expected a duration such as 90s, 15m, 12h, 7d or "
            "2w, got \"soon\"");
  EXPECT_NE(error_of(head + "pipeline: {steps: {trian: {retries: 1}}}\n")
                .find("pipeline.steps: unknown key \"trian\"; did you mean \"train\"?"),
            std::string::npos);
}

TEST(PipelinesOfProject, missing_files_are_named) {
  auto project = parse_project(kMinimal, "ciclo.yaml");
  Submission submission;
  submission.project = project->source;
  auto spec = training_pipeline(*project, submission);
  ASSERT_FALSE(spec.ok());
  EXPECT_NE(spec.error().message.find("customers"), std::string::npos);
}

TEST(PipelinesOfProject, retraining_shares_the_experiment) {
  EXPECT_EQ(experiment_of(retraining_name("churn")), "churn");
  EXPECT_EQ(experiment_of("churn"), "churn");
}

}  // namespace
}  // namespace ciclo::steps
