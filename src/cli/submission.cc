// SPDX-License-Identifier: Apache-2.0
#include "cli/submission.h"

#include <utility>

#include "base/text.h"
#include "base/yaml.h"
#include "data/ingest.h"

namespace ciclo::cli {

Result<void> set_in_document(json::Value& document, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    return invalid_argument("--set takes KEY=VALUE, such as train.parameters.max_depth=8, got " +
                            ciclo::quoted(assignment));
  }
  TRY(json::Value value, yaml::parse(assignment.substr(equals + 1), "--set"));
  json::Value* place = &document;
  for (const std::string_view part : split(std::string_view(assignment).substr(0, equals), '.')) {
    if (!place->is_object() && !place->is_null()) {
      return invalid_argument("--set " + assignment + ": there is nothing to set below " +
                              ciclo::quoted(part));
    }
    place = &(*place)[part];
  }
  *place = std::move(value);
  return {};
}

Result<steps::Project> load_project(const std::filesystem::path& directory,
                                    const std::vector<std::string>& assignments) {
  TRY(steps::Project project, steps::load_project(directory));
  if (assignments.empty()) return project;
  json::Value document = project.source;
  for (const auto& assignment : assignments) TRY(set_in_document(document, assignment));
  TRY(steps::Project changed, steps::read_project(document, "ciclo.yaml with --set"));
  TRY(steps::read_schema_files(directory, changed));
  return changed;
}

Result<std::vector<std::string>> expand_below(const std::filesystem::path& directory,
                                              const std::vector<std::string>& patterns) {
  std::vector<std::string> below;
  for (const auto& pattern : patterns) {
    const std::filesystem::path path(pattern);
    below.push_back(path.is_absolute() || directory == "." ? pattern : (directory / path).string());
  }
  return data::expand_paths(below);
}

Result<SourceFiles> find_sources(const steps::Project& project,
                                 const std::filesystem::path& directory) {
  SourceFiles found;
  for (const auto& [table, source] : project.data) {
    auto files = expand_below(directory, source.files);
    if (!files.ok()) return files.error().with_context("data." + table);
    found[table] = std::move(files).value();
  }
  return found;
}

Result<steps::Submission> prepare_submission(Api& api, const steps::Project& project,
                                             const SourceFiles& files) {
  steps::Submission submission;
  submission.project = project.source;
  for (const auto& [table, source] : project.data) {
    for (const auto& file : files.at(table)) {
      auto hash = api.upload(file);
      if (!hash.ok()) return hash.error().with_context("data." + table);
      submission.files[table].push_back({std::filesystem::path(file).filename().string(), *hash});
    }
    if (source.schema) {
      TRY(submission.schemas[table], json::parse(data::to_json(*source.schema)));
    }
  }
  return submission;
}

}  // namespace ciclo::cli
