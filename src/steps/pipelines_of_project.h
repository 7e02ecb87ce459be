// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "pipeline/spec.h"
#include "steps/project.h"

// The pipelines that a project stands for. Pure functions.

namespace ciclo::steps {

// A source file of a table, stored as a blob.
struct SourceFile {
  std::string name;
  std::string hash;
  template <class V>
  void fields(V& v) {
    v("name", name);
    v("hash", hash);
  }
};

// A project with the content of the files that it names: all that a platform needs to run it.
struct Submission {
  json::Value project;                                   // the document, ciclo.yaml
  std::map<std::string, std::vector<SourceFile>> files;  // by table
  std::map<std::string, json::Value> schemas;            // by table; only of tables that have one
  template <class V>
  void fields(V& v) {
    v("project", project);
    v("files", files);
    v.or_default("schemas", schemas);
  }
};

// ingest → validate → assemble → split → tune → train → evaluate → gate → register → deploy, as far
// as the project asks for them. invalid_argument when a table's files are missing.
Result<pipeline::PipelineSpec> training_pipeline(const Project& project,
                                                 const Submission& submission);

// The examples of a project, with the bounds on their time.
data::TableQuery examples_query(const Project& project);

// The data set of training examples that the training pipeline makes.
std::string examples_name(const Project& project);

struct Retrain {
  std::int64_t from_ms = 0;  // of event time
  std::int64_t to_ms = 0;
  std::string base_artifact_id;        // the training examples of the project
  std::string parameters_artifact_id;  // what tuning found; may be empty
  std::vector<std::string> columns;    // features of the serving model
  train::LabelSpace labels;            // and what its labels may be
};

// collect → split → train → evaluate → gate → register → deploy.
pipeline::PipelineSpec retraining_pipeline(const Project& project, const Retrain& retrain);

// Pipelines of one project share an experiment.
std::string retraining_name(const std::string& project);
std::string experiment_of(const std::string& pipeline);

}  // namespace ciclo::steps
