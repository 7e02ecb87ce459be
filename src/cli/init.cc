// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "data/choose_split.h"
#include "data/guess.h"
#include "data/ingest.h"
#include "data/schema.h"
#include "data/statistics.h"
#include "steps/project.h"

namespace ciclo::cli {
namespace {

constexpr std::size_t kNameMax = 64;  // of projects and tables

// What a look at the table tells.
struct Looked {
  data::Guess guess;
  data::Statistics statistics;
  data::SplitChoice split;
};

// A name for data set, model and endpoint, from the file's: "Sales 2024.csv.gz" → "sales_2024".
std::string name_from(const std::filesystem::path& file) {
  std::string stem = file.filename().string();
  stem = to_lower_ascii(stem.substr(0, stem.find('.')));
  for (char& c : stem) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    if (!plain) c = '_';
  }
  if (stem.size() > kNameMax) stem.resize(kNameMax);
  return stem.empty() ? "model" : stem;
}

// A scalar that reads back as this text.
std::string yaml_text(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
  });
  const std::string lower = to_lower_ascii(text);
  const bool word = lower == "null" || lower == "true" || lower == "false" || lower == "yes" ||
                    lower == "no" || lower == "on" || lower == "off" || lower == "y" ||
                    lower == "n" || lower == "inf" || lower == "nan";
  if (plain && !word && !(text.front() >= '0' && text.front() <= '9')) return std::string(text);
  // Double quotes take JSON's escapes.
  return json::dump(json::Value(text));
}

std::string comment_line(const data::ColumnGuess& column, std::size_t width) {
  const std::string name = yaml_text(column.name);
  const std::string padding(width > name.size() ? width - name.size() : 0, ' ');
  const char* mark = column.use ? "    - " : "    # - ";
  const std::string text = column.reason.empty() ? std::string() : "  # " + column.reason;
  return mark + name + (text.empty() ? "" : padding) + text + "\n";
}

std::string features_section(const data::Guess& guess) {
  std::size_t width = 0;
  for (const auto& column : guess.columns) width = std::max(width, yaml_text(column.name).size());
  std::string text =
      "# The columns to learn from. Numbers are taken as they are, categories and texts are "
      "encoded; how is\n"
      "# part of the model, so serving does the same. `transforms` overrides it for a column:\n"
      "#   transforms:\n"
      "#     - {column: NAME, encode: one_hot}\n"
      "features:\n"
      "  columns:\n";
  for (const auto& column : guess.columns) text += comment_line(column, width);
  return text;
}

std::string split_section(const data::SplitChoice& split) {
  const data::SplitRule& rule = split.rule;
  const bool by_time = rule.kind == data::SplitKind::kTime;
  std::string text = by_time ? "# The newest rows test, those before validate: as in life, the "
                               "model is judged on what comes later.\n"
                             : "# The same rows fall into the same part each time.\n";
  for (const auto& reason : split.reasons) text += "# Note: " + reason + "\n";
  text += std::string("split: {by: ") + (by_time ? "time" : "random") +
          ", validation: " + number_text(rule.validation, 2) +
          ", test: " + number_text(rule.test, 2);
  if (!by_time) text += ", seed: " + std::to_string(rule.seed);
  return text + "}\n";
}

std::string train_section(std::int64_t rows) {
  // Small tables overfit with deep trees.
  const bool small = rows < 5'000;
  std::string text =
      "# xgboost, lightgbm, linear or baseline.\n"
      "train:\n"
      "  learner: xgboost\n"
      "  parameters: {rounds: 300, early_stopping_rounds: 20, learning_rate: 0.1, max_depth: ";
  text += small ? "4" : "6";
  text +=
      "}\n\n"
      "# Random search around these parameters; the best trial on the validation rows trains the "
      "model.\n"
      "tune:\n"
      "  trials: 8\n"
      "  space:\n"
      "    max_depth: {low: 2, high: ";
  text += small ? "6" : "9";
  text +=
      ", type: int}\n"
      "    learning_rate: {low: 0.03, high: 0.3, log: true}\n"
      "    min_child_weight: {low: 1, high: 20, log: true}\n";
  return text;
}

// Limits that any useful model keeps, and the rule for those that follow it.
std::string gate_section(const data::Guess& guess) {
  std::string limit = "{metric: auc, min: 0.55}";
  std::string metric = "auc";
  if (guess.task == data::Task::kRegression) {
    limit = "{metric: r2, min: 0.0}";
    // Free of the target's unit, so that the margin below means the same for every table.
    metric = "r2";
  }
  if (guess.task == data::Task::kMulticlass) {
    const double chance = 1.0 / static_cast<double>(std::max<std::size_t>(2, guess.classes.size()));
    limit = "{metric: accuracy, min: " + number_text(chance, 2) + "}";
    metric = "accuracy";
  }
  return "# What a model must keep on the test rows before it is registered and deployed.\n"
         "gate:\n"
         "  thresholds:\n"
         "    - " +
         limit +
         "\n"
         "  # A later model must not be worse than the one that serves, with 95 % confidence.\n"
         "  champion:\n"
         "    - {metric: " +
         metric + ", mode: non_inferior, margin: 0.02}\n";
}

std::string target_section(const data::Guess& guess) {
  std::string text =
      "target: {column: " + yaml_text(guess.target) +
      ", task: " + std::string(data::enum_names(guess.task)[static_cast<std::size_t>(guess.task)]);
  if (guess.task != data::Task::kBinary) return text + "}\n";
  return "# The model answers the probability of the positive class.\n" + text +
         ", positive: " + yaml_text(guess.classes[1]) + "}\n";
}

std::string project_text(const std::string& name, const std::string& file, const Looked& looked) {
  const data::Guess& guess = looked.guess;
  const std::int64_t rows = looked.statistics.rows;
  const bool by_time = looked.split.rule.kind == data::SplitKind::kTime;
  std::string text = "# Made by `ciclo init` from " + file + ", " + count_text(rows) +
                     " rows. Change what you know better.\n"
                     "#\n"
                     "#   ciclo run           runs what changed since the last run\n"
                     "#   ciclo run --plan    says what would run, and why\n\n";
  for (const auto& warning : guess.warnings) text += "# Note: " + warning + "\n";
  if (!guess.warnings.empty()) text += "\n";
  text += "project: " + yaml_text(name) + "\n\n";
  text +=
      "# Files or globs, CSV, JSON lines or Parquet. The schema says what the table must look "
      "like.\n";
  text += "data:\n  " + yaml_text(name) + ":\n    files: " + yaml_text(file) +
          "\n    schema: schemas/" + name + ".yaml\n\n";
  text += "table:\n  from: " + yaml_text(name) + "\n";
  text += "  where: " + yaml_text(data::quote_identifier(guess.target) + " IS NOT NULL") + "\n";
  if (by_time) {
    text += "  time: " + yaml_text(guess.time_column) + "    # from when on a row is known\n";
  }
  text += "\n" + target_section(guess) + "\n";
  text += features_section(guess) + "\n" + split_section(looked.split) + "\n" +
          train_section(rows) + "\n" + gate_section(guess);
  text += "\ndeploy: {endpoint: " + yaml_text(name) + "}\n\n";
  text +=
      "# Live predictions are compared with the training data, window by window.\n"
      "monitor:\n  window: 1d\n  drift: {psi: 0.2}\n";
  if (by_time) {
    text +=
        "\n# An alarm trains a challenger on recent rows and labels; the gate decides.\n"
        "retrain: {on: [drift, quality], window: 365d, test: 7d, cooldown: 7d}\n";
  }
  return text;
}

// The file as the project names it: relative when it lies below the project's directory.
std::string relative_name(const std::filesystem::path& file,
                          const std::filesystem::path& directory) {
  std::error_code failure;
  const auto relative = std::filesystem::relative(file, directory, failure);
  if (failure || relative.empty()) return std::filesystem::absolute(file).string();
  return relative.string();
}

Result<Looked> look_at(const std::string& file, const std::string& target) {
  SystemClock clock;
  const Context context;
  const TemporaryDirectory work;
  const data::Engine engine(clock);
  TRY(const data::Table source, data::open_source(engine, context, "source", {file}, {},
                                                  (work.path() / "unpacked").string()));
  const std::string parquet = (work.path() / "data.parquet").string();
  TRY(data::snapshot(engine, context, source, parquet));
  data::Table table;
  table.name = "table";
  table.files = {parquet};
  Looked looked;
  TRY(looked.statistics, data::compute_statistics(engine, context, table));
  TRY(looked.guess, data::guess_table(engine, context, table, looked.statistics, target));
  if (looked.statistics.find(target)->nulls > 0) {
    const std::string labelled = (work.path() / "labelled.parquet").string();
    TRY(engine.write_parquet(
        context, {table},
        "SELECT * FROM \"table\" WHERE " + data::quote_identifier(target) + " IS NOT NULL",
        labelled));
    table.files = {labelled};
  }
  TRY(looked.split, data::choose_split(engine, context, table, looked.guess));
  return looked;
}

}  // namespace

Result<void> init(Session& session, const InitOptions& options) {
  const std::filesystem::path directory = options.directory.empty() ? "." : options.directory;
  const auto file = directory / "ciclo.yaml";
  if (std::filesystem::exists(file) && !options.force) {
    return already_exists(file.string() + " exists; --force replaces it");
  }
  TRY(const Looked looked, look_at(options.file, options.target));
  const std::string name = name_from(options.file);
  const std::string text = project_text(name, relative_name(options.file, directory), looked);
  // What is written must be a project that runs.
  if (auto project = steps::parse_project(text, "ciclo.yaml"); !project.ok()) {
    return internal("the project made is not valid: " + project.error().message);
  }
  TRY(write_file_durably(directory / "schemas" / (name + ".yaml"),
                         data::to_yaml(data::infer_schema(looked.statistics))));
  TRY(write_file_durably(file, text));

  std::int64_t used = 0;
  for (const auto& column : looked.guess.columns) used += column.use ? 1 : 0;
  const std::string task(
      data::enum_names(looked.guess.task)[static_cast<std::size_t>(looked.guess.task)]);
  json::Value warnings = json::Value::array();
  for (const auto& warning : looked.guess.warnings) warnings.push_back(warning);
  const json::Value document = json::Value::object({{"file", file.string()},
                                                    {"project", name},
                                                    {"rows", looked.statistics.rows},
                                                    {"task", task},
                                                    {"features", used},
                                                    {"warnings", std::move(warnings)}});
  session.show(document, [&] {
    std::printf("%s: %s rows, %s task on %s, %lld features\n", file.string().c_str(),
                count_text(looked.statistics.rows).c_str(), task.c_str(),
                looked.guess.target.c_str(), static_cast<long long>(used));
    for (const auto& warning : looked.guess.warnings) std::printf("note: %s\n", warning.c_str());
    std::printf("next: ciclo run%s\n",
                options.directory.empty() ? "" : (" --project " + options.directory).c_str());
  });
  return {};
}

}  // namespace ciclo::cli
