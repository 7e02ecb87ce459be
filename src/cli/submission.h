// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/api.h"
#include "steps/pipelines_of_project.h"
#include "steps/project.h"

namespace ciclo::cli {

// Applies "train.parameters.max_depth=8" to a document; the value is read as YAML. invalid_argument
// for a text without '=', or a path through what is no mapping.
Result<void> set_in_document(json::Value& document, const std::string& assignment);

// A project's ciclo.yaml with `assignments` over it, checked again.
Result<steps::Project> load_project(const std::filesystem::path& directory,
                                    const std::vector<std::string>& assignments);

// Table → its source files, found from the project's directory. not_found names the table and the
// pattern. Asked before a platform is opened, so that a missing file leaves nothing behind.
using SourceFiles = std::map<std::string, std::vector<std::string>>;
Result<SourceFiles> find_sources(const steps::Project& project,
                                 const std::filesystem::path& directory);

// Uploads the files, those that are not there yet, and gathers what a platform needs to run the
// project.
Result<steps::Submission> prepare_submission(Api& api, const steps::Project& project,
                                             const SourceFiles& files);

// The files that patterns name, relative ones taken from `directory`.
Result<std::vector<std::string>> expand_below(const std::filesystem::path& directory,
                                              const std::vector<std::string>& patterns);

}  // namespace ciclo::cli
