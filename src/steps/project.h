// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "data/ingest.h"
#include "data/join.h"
#include "data/schema.h"
#include "data/split.h"
#include "train/task.h"

// The project file ciclo.yaml: what a user declares of a model's life, from data to retraining.
// Reading it checks everything that can be checked without the data; errors name file, line and
// column.

namespace ciclo::steps {

// A table that comes from files.
struct Source {
  std::vector<std::string> files;  // paths or globs, relative to the project's directory
  data::SourceOptions options;
  std::string schema_file;  // YAML, relative to the project's directory; empty: not validated
  // What the file holds, once it was read (load_project), or as a submission brings it.
  std::optional<data::Schema> schema;
};

// One row for each example: a base table, derived columns, joins.
struct Table {
  data::TableQuery query;
  std::string time;  // column with the moment from which the row's features are known; may be empty
  std::string key;   // column that identifies a row; may be empty
  std::string since;  // rows from this moment on, "2013-01-01"; empty: from the beginning
  std::string until;  // exclusive; empty: to the end
};

struct Training {
  std::string learner = "xgboost";
  json::Value parameters = json::Value::object();
  std::int64_t seed = 7;
};

struct Tuning {
  int trials = 0;                             // 0: no search
  std::string metric;                         // empty: the task's headline metric
  json::Value space = json::Value::object();  // as tune::parse_space reads it
};

struct Retraining {
  std::vector<std::string> on;   // "drift", "quality"
  std::int64_t window_ms = 0;    // of event time, back from the newest; 0: everything
  std::int64_t test_ms = 0;      // the newest part of it, on which the gate decides
  std::int64_t cooldown_ms = 0;  // of event time, between two retrainings
};

// How often and how long the steps of a pipeline are tried.
struct Attempts {
  int retries = 2;                       // after failures that may pass; never after the author's
  std::int64_t timeout_ms = 86'400'000;  // of each attempt; 0: none
};

struct PipelineOptions {
  Attempts all;
  std::map<std::string, Attempts> kinds;  // of the kinds that differ
};

struct Project {
  std::string name;
  std::string description;
  std::map<std::string, Source> data;
  Table table;
  std::string target;
  train::Task task = train::Task::kBinary;
  std::string positive;  // class of a binary target whose probability is predicted; empty: the
                         // second in order
  std::vector<std::string> columns;  // the features; empty: all but target, time and key
  json::Value transforms = json::Value::array();  // as features::parse_spec; the rest by default
  data::SplitRule split;
  Training train;
  Tuning tune;
  std::vector<std::string> slices;
  json::Value gate = json::Value::object();  // as evaluate::parse_gate reads it
  std::string endpoint;                      // empty: not deployed
  json::Value monitor;                       // as monitor::parse_config reads it; null: none
  std::optional<Retraining> retrain;
  PipelineOptions pipeline;

  json::Value source;  // the document as it was written
};

// Reads the text of a project file; `file` names it in errors.
Result<Project> parse_project(std::string_view text, std::string_view file);

// Reads a document that was parsed before (Project::source).
Result<Project> read_project(const json::Value& document, std::string_view file);

// Reads the schema files that the document names, relative to the directory, into its sources.
Result<void> read_schema_files(const std::filesystem::path& directory, Project& project);

// DIR/ciclo.yaml with the schema files that it names.
Result<Project> load_project(const std::filesystem::path& directory);

// "90s", "15m", "12h", "7d", "2w" in milliseconds.
Result<std::int64_t> parse_duration(std::string_view text);

}  // namespace ciclo::steps
