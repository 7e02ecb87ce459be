// SPDX-License-Identifier: Apache-2.0
#include "steps/project.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "base/yaml.h"
#include "evaluate/gate.h"
#include "features/spec.h"
#include "monitor/monitor.h"
#include "train/learner.h"
#include "tune/space.h"

namespace ciclo::steps {
namespace {

using json::Value;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

// A section of the document that is read key by key. Keeps the first error, so that reading is a
// plain list of calls and ends with one check.
class Section {
 public:
  Section(const Value& node, std::string path, std::string_view file, std::optional<Error>& problem)
      : node_(node), path_(std::move(path)), file_(file), problem_(problem) {
    if (!node.is_object()) fail(node, path_, "expected a mapping, got " + kind(node));
  }

  // Refuses what was not asked for.
  void only(std::initializer_list<std::string_view> known) {
    if (!node_.is_object()) return;
    const std::vector<std::string> names(known.begin(), known.end());
    for (const auto& [key, value] : node_.members()) {
      if (std::find(names.begin(), names.end(), key) != names.end()) continue;
      std::string text = "unknown key " + ciclo::quoted(key);
      if (const auto near = nearest(key, names); !near.empty()) {
        text += "; did you mean " + ciclo::quoted(near) + "?";
      } else {
        text += "; known here: " + join(names, ", ");
      }
      fail(value, path_, text);
    }
  }

  const Value* find(std::string_view key) const { return node_.find(key); }
  bool has(std::string_view key) const {
    const Value* value = find(key);
    return value != nullptr && !value->is_null();
  }

  void text(std::string_view key, std::string& out) {
    if (!has(key)) return;
    const Value& value = *find(key);
    if (!value.is_string()) return fail(value, at(key), "expected a text, got " + kind(value));
    out = value.string();
  }
  void required_text(std::string_view key, std::string& out) {
    if (!has(key)) return fail(node_, path_, ciclo::quoted(key) + " is missing");
    text(key, out);
  }
  // A text, or a number or boolean as the text that it was written as.
  void scalar(std::string_view key, std::string& out) {
    if (!has(key)) return;
    const Value& value = *find(key);
    if (value.is_object() || value.is_array()) {
      return fail(value, at(key), "expected a text, a number or a boolean, got " + kind(value));
    }
    out = value.is_string() ? value.string() : json::dump(value);
  }
  void number(std::string_view key, double& out, double low, double high) {
    if (!has(key)) return;
    const Value& value = *find(key);
    if (!value.is_number()) return fail(value, at(key), "expected a number, got " + kind(value));
    if (!(value.number() >= low && value.number() <= high)) {
      return fail(value, at(key),
                  "must lie between " + trim_number(low) + " and " + trim_number(high) + ", got " +
                      json::dump(value));
    }
    out = value.number();
  }
  template <class Int>
  void integer(std::string_view key, Int& out, std::int64_t low, std::int64_t high) {
    if (!has(key)) return;
    const Value& value = *find(key);
    if (!value.is_int()) return fail(value, at(key), "expected an integer, got " + kind(value));
    if (value.integer() < low || value.integer() > high) {
      return fail(value, at(key),
                  "must lie between " + std::to_string(low) + " and " + std::to_string(high) +
                      ", got " + json::dump(value));
    }
    out = static_cast<Int>(value.integer());
  }
  void choice(std::string_view key, std::string& out,
              std::initializer_list<std::string_view> known) {
    if (!has(key)) return;
    text(key, out);
    const std::vector<std::string> names(known.begin(), known.end());
    if (problem_ || std::find(names.begin(), names.end(), out) != names.end()) return;
    fail(*find(key), at(key),
         "must be one of " + join(names, ", ") + ", got " + ciclo::quoted(out));
  }
  void duration(std::string_view key, std::int64_t& out) {
    if (!has(key)) return;
    const Value& value = *find(key);
    if (!value.is_string()) return fail(value, at(key), "expected a duration such as 7d or 12h");
    auto parsed = parse_duration(value.string());
    if (!parsed.ok()) return fail(value, at(key), parsed.error().message);
    out = *parsed;
  }
  // A text, or a list of texts.
  void texts(std::string_view key, std::vector<std::string>& out) {
    if (!has(key)) return;
    const Value& value = *find(key);
    if (value.is_string()) {
      out = {value.string()};
      return;
    }
    if (!value.is_array())
      return fail(value, at(key), "expected a text or a list, got " + kind(value));
    out.clear();
    for (const auto& item : value.items()) {
      if (!item.is_string()) return fail(item, at(key), "expected a text, got " + kind(item));
      out.push_back(item.string());
    }
  }
  // A list of names, or a mapping of new name → expression.
  void renames(std::string_view key, std::vector<std::pair<std::string, std::string>>& out) {
    if (!has(key)) return;
    const Value& value = *find(key);
    out.clear();
    if (value.is_object()) {
      for (const auto& [name, expression] : value.members()) {
        if (!expression.is_string()) {
          // A constant, such as `weight: 1`.
          out.emplace_back(name, json::dump(expression));
        } else {
          out.emplace_back(name, expression.string());
        }
      }
      return;
    }
    std::vector<std::string> names;
    texts(key, names);
    for (auto& name : names) out.emplace_back(name, name);
  }

  Section child(std::string_view key) { return {*find(key), at(key), file_, problem_}; }
  Section item(const Value& node, std::string_view key, std::size_t index) {
    return {node, at(key) + "[" + std::to_string(index) + "]", file_, problem_};
  }

  // Takes over the error of a module that read the part under `key`; it names line and column
  // itself where it knows them.
  void fail_as(const Error& error, std::string_view key) {
    if (problem_) return;
    const bool has_place =
        !error.message.empty() && error.message.front() >= '0' && error.message.front() <= '9';
    if (has_place) {
      problem_ = Error{error.code, std::string(file_) + ":" + error.message};
    } else {
      fail(has(key) ? *find(key) : node_, at(key), error.message);
    }
  }

  void fail(const Value& where, std::string_view path, const std::string& text) {
    if (problem_) return;
    std::string place(file_);
    const json::Mark mark = where.mark.line != 0 ? where.mark : node_.mark;
    if (mark.line != 0) {
      place += ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column);
    }
    problem_ =
        invalid_argument(place + ": " + (path.empty() ? "" : std::string(path) + ": ") + text);
  }
  std::string at(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  }

 private:
  static std::string kind(const Value& value) { return std::string(json::kind_name(value.kind())); }
  static std::string trim_number(double number) {
    const auto whole = static_cast<std::int64_t>(number);
    return static_cast<double>(whole) == number ? std::to_string(whole) : json::dump(Value(number));
  }

  const Value& node_;
  std::string path_;
  std::string_view file_;
  std::optional<Error>& problem_;
};

void read_source(Section section, const Value& node, Source& source) {
  section.only({"files", "schema", "format", "delimiter", "header", "encoding", "null_texts",
                "timestamp_format"});
  section.texts("files", source.files);
  section.text("schema", source.schema_file);
  section.choice("format", source.options.format, {"csv", "json", "jsonl", "parquet"});
  section.text("delimiter", source.options.delimiter);
  section.choice("header", source.options.header, {"yes", "no"});
  section.choice("encoding", source.options.encoding, {"utf-8", "utf-16", "latin-1"});
  section.texts("null_texts", source.options.null_texts);
  section.text("timestamp_format", source.options.timestamp_format);
  if (source.files.empty()) section.fail(node, section.at("files"), "names no file");
}

void read_sources(Section& root, Project& project) {
  if (!root.has("data")) return root.fail(Value(), "", "\"data\" is missing");
  const Value& node = *root.find("data");
  Section all = root.child("data");
  if (!node.is_object()) return;
  if (node.members().empty()) return root.fail(node, "data", "names no table");
  for (const auto& [name, table] : node.members()) {
    if (!is_name(name)) {
      return root.fail(
          table, "data",
          "a table's name has 1 to 64 letters, digits, '_' and '-', got " + ciclo::quoted(name));
    }
    Source& source = project.data[name];
    if (table.is_string()) {
      source.files = {table.string()};
    } else {
      read_source(all.child(name), table, source);
    }
  }
}

std::vector<data::DerivedColumn> derived(
    const std::vector<std::pair<std::string, std::string>>& columns) {
  std::vector<data::DerivedColumn> out;
  for (const auto& [name, expression] : columns) out.push_back({name, expression});
  return out;
}

void read_join(Section section, data::Join& join) {
  section.only({"data", "on", "as_of", "derive", "columns", "prefix"});
  section.required_text("data", join.table);
  std::vector<std::pair<std::string, std::string>> pairs;
  section.renames("on", pairs);
  for (const auto& [left, right] : pairs) join.keys.push_back({left, right});
  std::vector<std::pair<std::string, std::string>> expressions;
  section.renames("derive", expressions);
  join.derive = derived(expressions);
  // `columns: {plane_year: year}` takes a column under another name.
  std::vector<std::pair<std::string, std::string>> columns;
  section.renames("columns", columns);
  for (const auto& [name, column] : columns) {
    if (name != column) join.derive.push_back({name, data::quote_identifier(column)});
    join.columns.push_back(name);
  }
  section.text("prefix", join.prefix);
  if (!section.has("as_of")) return;
  Section as_of = section.child("as_of");
  as_of.only({"time", "at", "max_age"});
  join.as_of.emplace();
  as_of.required_text("time", join.as_of->right);
  as_of.text("at", join.as_of->left);
  as_of.duration("max_age", join.as_of->max_age_ms);
}

void read_table(Section& root, Project& project) {
  Table& table = project.table;
  if (!root.has("table")) {
    if (project.data.size() == 1) table.query.from = project.data.begin()->first;
    return;
  }
  Section section = root.child("table");
  section.only(
      {"from", "where", "time", "key", "columns", "select", "drop", "joins", "since", "until"});
  section.required_text("from", table.query.from);
  section.text("where", table.query.where);
  section.text("time", table.time);
  section.text("key", table.key);
  section.text("since", table.since);
  section.text("until", table.until);
  section.texts("select", table.query.select);
  section.texts("drop", table.query.drop);
  std::vector<std::pair<std::string, std::string>> columns;
  section.renames("columns", columns);
  table.query.derive = derived(columns);
  if (!section.has("joins")) return;
  const Value& joins = *section.find("joins");
  if (!joins.is_array()) return section.fail(joins, "table.joins", "expected a list of joins");
  for (std::size_t i = 0; i < joins.items().size(); ++i) {
    data::Join& join = table.query.joins.emplace_back();
    read_join(section.item(joins.items()[i], "joins", i), join);
    if (join.as_of && join.as_of->left.empty()) join.as_of->left = table.time;
  }
}

void read_target(Section& root, Project& project) {
  if (!root.has("target")) return root.fail(Value(), "", "\"target\" is missing");
  if (root.find("target")->is_string()) return root.text("target", project.target);
  Section section = root.child("target");
  section.only({"column", "task", "positive"});
  section.required_text("column", project.target);
  std::string task = "binary";
  section.choice("task", task, {"binary", "multiclass", "regression"});
  if (auto parsed = train::parse_task(task); parsed.ok()) project.task = *parsed;
  section.scalar("positive", project.positive);
  if (project.positive.empty() || project.task == train::Task::kBinary) return;
  section.fail(*section.find("positive"), section.at("positive"),
               "only a binary task has a positive class, and the task is " + task);
}

void read_features(Section& root, Project& project) {
  if (!root.has("features")) return;
  if (!root.find("features")->is_object()) return root.texts("features", project.columns);
  Section section = root.child("features");
  section.only({"columns", "transforms"});
  section.texts("columns", project.columns);
  if (!section.has("transforms")) return;
  project.transforms = *section.find("transforms");
  if (auto spec = features::parse_spec(project.transforms); !spec.ok()) {
    section.fail_as(spec.error(), "transforms");
  }
}

void read_split(Section& root, Project& project) {
  data::SplitRule& split = project.split;
  split.kind = data::SplitKind::kRandom;
  if (project.task != train::Task::kRegression) split.stratify = project.target;
  if (!root.has("split")) return;
  Section section = root.child("split");
  section.only(
      {"by", "columns", "stratify", "validation", "test", "validation_from", "test_from", "seed"});
  std::string by = "random";
  section.choice("by", by, {"time", "hash", "group", "random"});
  split.kind = by == "time"    ? data::SplitKind::kTime
               : by == "hash"  ? data::SplitKind::kHash
               : by == "group" ? data::SplitKind::kGroup
                               : data::SplitKind::kRandom;
  if (split.kind != data::SplitKind::kRandom) split.stratify.clear();
  if (split.kind == data::SplitKind::kTime) split.columns = {project.table.time};
  section.texts("columns", split.columns);
  section.text("stratify", split.stratify);
  section.number("validation", split.validation, 0, 0.9);
  section.number("test", split.test, 0.001, 0.9);
  section.text("validation_from", split.validation_from);
  section.text("test_from", split.test_from);
  section.integer("seed", split.seed, 0, INT64_MAX);
  if (split.kind == data::SplitKind::kTime && split.columns.front().empty()) {
    section.fail(*root.find("split"), "split", "a split by time needs table.time");
  }
  if ((by == "hash" || by == "group") && split.columns.empty()) {
    section.fail(*root.find("split"), "split", "a split by " + by + " needs \"columns\"");
  }
}

void read_training(Section& root, Project& project) {
  if (root.has("train")) {
    Section section = root.child("train");
    section.only({"learner", "parameters", "seed"});
    section.text("learner", project.train.learner);
    section.integer("seed", project.train.seed, 0, INT64_MAX);
    if (section.has("parameters")) project.train.parameters = *section.find("parameters");
    auto learner = train::find_learner(project.train.learner);
    if (!learner.ok()) {
      section.fail_as(learner.error(), "learner");
    } else if (auto checked = (*learner)->check_parameters(project.train.parameters);
               !checked.ok()) {
      section.fail_as(checked.error(), "parameters");
    }
  }
  if (!root.has("tune")) return;
  Section section = root.child("tune");
  section.only({"trials", "metric", "space"});
  section.integer("trials", project.tune.trials, 0, 10'000);
  section.text("metric", project.tune.metric);
  if (section.has("space")) project.tune.space = *section.find("space");
  if (auto space = tune::parse_space(project.tune.space); !space.ok()) {
    section.fail_as(space.error(), "space");
  }
  if (project.tune.metric.empty()) return;
  if (auto metric = evaluate::find_metric(project.task, project.tune.metric); !metric.ok()) {
    section.fail_as(metric.error(), "metric");
  }
}

void read_gate(Section& root, Project& project) {
  if (root.has("evaluate")) {
    Section section = root.child("evaluate");
    section.only({"slices"});
    section.texts("slices", project.slices);
  }
  if (!root.has("gate")) return;
  project.gate = *root.find("gate");
  if (auto gate = evaluate::parse_gate(project.gate, project.task); !gate.ok()) {
    root.fail_as(gate.error(), "gate");
  }
}

void read_operations(Section& root, Project& project) {
  if (root.has("deploy")) {
    Section section = root.child("deploy");
    section.only({"endpoint"});
    section.required_text("endpoint", project.endpoint);
  }
  if (root.has("monitor")) {
    project.monitor = *root.find("monitor");
    if (auto config = monitor::parse_config(project.monitor); !config.ok()) {
      root.fail_as(config.error(), "monitor");
    }
    if (project.endpoint.empty()) root.fail(project.monitor, "monitor", "needs deploy.endpoint");
  }
  if (!root.has("retrain")) return;
  Section section = root.child("retrain");
  section.only({"on", "window", "test", "cooldown"});
  Retraining& retrain = project.retrain.emplace();
  section.texts("on", retrain.on);
  for (const auto& cause : retrain.on) {
    if (cause == "drift" || cause == "quality") continue;
    section.fail(*section.find("on"), "retrain.on",
                 "must be drift or quality, got " + ciclo::quoted(cause));
  }
  section.duration("window", retrain.window_ms);
  section.duration("test", retrain.test_ms);
  section.duration("cooldown", retrain.cooldown_ms);
  if (project.monitor.is_null()) section.fail(*root.find("retrain"), "retrain", "needs a monitor");
  if (project.table.time.empty()) {
    section.fail(*root.find("retrain"), "retrain",
                 "needs table.time, to know which rows are recent");
  }
}

void read_attempts(Section& section, Attempts& attempts) {
  section.integer("retries", attempts.retries, 0, 100);
  section.duration("timeout", attempts.timeout_ms);
}

void read_pipeline(Section& root, Project& project) {
  if (!root.has("pipeline")) return;
  Section section = root.child("pipeline");
  section.only({"retries", "timeout", "steps"});
  read_attempts(section, project.pipeline.all);
  if (!section.has("steps")) return;
  Section kinds = section.child("steps");
  kinds.only({"ingest", "validate", "assemble", "collect", "split", "tune", "train", "evaluate",
              "gate", "register", "deploy"});
  if (!section.find("steps")->is_object()) return;
  for (const auto& [kind, node] : section.find("steps")->members()) {
    Section one = kinds.child(kind);
    one.only({"retries", "timeout"});
    Attempts& attempts = project.pipeline.kinds.emplace(kind, project.pipeline.all).first->second;
    read_attempts(one, attempts);
  }
}

// Names that refer to other parts of the document.
void check_references(Section& root, const Project& project) {
  std::vector<std::string> tables;
  for (const auto& [name, source] : project.data) tables.push_back(name);
  const auto check = [&](const std::string& name, const std::string& where) {
    if (project.data.contains(name)) return;
    root.fail(
        Value(), where,
        "there is no table " + ciclo::quoted(name) + " in data; there are: " + join(tables, ", "));
  };
  check(project.table.query.from, "table.from");
  for (std::size_t i = 0; i < project.table.query.joins.size(); ++i) {
    const data::Join& join = project.table.query.joins[i];
    const std::string where = "table.joins[" + std::to_string(i) + "]";
    check(join.table, where + ".data");
    if (join.keys.empty() && !join.as_of) {
      root.fail(Value(), where, "needs \"on\", \"as_of\" or both");
    }
  }
}

}  // namespace

Result<Project> read_project(const Value& document, std::string_view file) {
  Project project;
  project.source = document;
  std::optional<Error> problem;
  Section root(document, "", file, problem);
  root.only({"project", "description", "data", "table", "target", "features", "split", "train",
             "tune", "evaluate", "gate", "deploy", "monitor", "retrain", "pipeline"});
  if (problem) return *problem;
  root.required_text("project", project.name);
  root.text("description", project.description);
  if (!problem && !is_name(project.name)) {
    root.fail(
        *root.find("project"), "project",
        "a name has 1 to 64 letters, digits, '_' and '-', got " + ciclo::quoted(project.name));
  }
  read_sources(root, project);
  if (problem) return *problem;
  read_table(root, project);
  read_target(root, project);
  read_features(root, project);
  read_split(root, project);
  read_training(root, project);
  read_gate(root, project);
  read_operations(root, project);
  read_pipeline(root, project);
  if (problem) return *problem;
  check_references(root, project);
  if (problem) return *problem;
  return project;
}

Result<Project> parse_project(std::string_view text, std::string_view file) {
  TRY(const Value document, yaml::parse(text, file));
  return read_project(document, file);
}

Result<void> read_schema_files(const std::filesystem::path& directory, Project& project) {
  for (auto& [name, source] : project.data) {
    if (source.schema_file.empty()) continue;
    auto text = read_file(directory / source.schema_file, 16 << 20);
    if (!text.ok()) return text.error().with_context("data." + name + ".schema");
    auto schema = data::read_schema(*text);
    if (!schema.ok()) return schema.error().with_context(source.schema_file);
    source.schema = std::move(schema).value();
  }
  return {};
}

Result<Project> load_project(const std::filesystem::path& directory) {
  const auto file = directory / "ciclo.yaml";
  auto text = read_file(file, 1 << 20);
  if (!text.ok() && text.error().code == Code::kNotFound) {
    return not_found("there is no " + file.string() +
                     "; `ciclo init FILE --target COLUMN` writes one from a table");
  }
  if (!text.ok()) return text.error();
  TRY(Project project, parse_project(*text, file.filename().string()));
  TRY(read_schema_files(directory, project));
  return project;
}

Result<std::int64_t> parse_duration(std::string_view text) {
  const std::string shown = ciclo::quoted(text);
  const Error error =
      invalid_argument("expected a duration such as 90s, 15m, 12h, 7d or 2w, got " + shown);
  if (text.empty()) return error;
  std::int64_t unit = 0;
  switch (text.back()) {
    case 's': unit = 1'000; break;
    case 'm': unit = 60'000; break;
    case 'h': unit = 3'600'000; break;
    case 'd': unit = 86'400'000; break;
    case 'w': unit = 7 * 86'400'000LL; break;
    default: return error;
  }
  text.remove_suffix(1);
  const auto count = parse_int(text);
  if (!count || *count < 0 || *count > 100'000) return error;
  return *count * unit;
}

}  // namespace ciclo::steps
