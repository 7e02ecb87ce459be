// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
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

// Uploads the project's source files, those that are not there yet, and gathers what a platform
// needs to run it.
Result<steps::Submission> prepare_submission(Api& api, const steps::Project& project,
                                             const std::filesystem::path& directory);

// The files that patterns name, relative ones taken from `directory`.
Result<std::vector<std::string>> expand_below(const std::filesystem::path& directory,
                                              const std::vector<std::string>& patterns);

}  // namespace ciclo::cli
