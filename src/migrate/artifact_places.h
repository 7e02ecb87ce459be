// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "migrate/holdings.h"
#include "tracking/artifacts.h"

namespace ciclo::migrate {

// Where the artifacts of an MLflow server are, and where they are to be with us. What lies on this
// machine, as file:, as a path or behind the server's own mlflow-artifacts:, moves into our tree
// of names; what is elsewhere (s3://…) stays there, and its URI as it is.
class ArtifactPlaces {
 public:
  // `root` is the server's --artifacts-destination; empty: not given.
  explicit ArtifactPlaces(std::filesystem::path root) : root_(std::move(root)) {}

  static bool is_local(std::string_view uri);

  // Whether the root is needed for it and was not given.
  bool is_root_missing(std::string_view uri) const;

  // Where a local URI leads: a directory or file that may not be there. A place that is gone is
  // looked for below the root as `ours`, as in a tree that was moved. failed_precondition when the
  // root is needed and was not given; invalid_argument for a URI that leaves it.
  Result<std::filesystem::path> locate(std::string_view uri,
                                       const tracking::ArtifactPath& ours) const;

 private:
  const std::filesystem::path root_;
};

// Our places: EXPERIMENT, EXPERIMENT/RUN/artifacts, EXPERIMENT/models/MODEL/artifacts.
Result<tracking::ArtifactPath> place_of(const tracking::Experiment& experiment);
Result<tracking::ArtifactPath> place_of(const tracking::RunInfo& run);
Result<tracking::ArtifactPath> place_of(const tracking::LoggedModel& model);

// The regular files below a directory, by path. What is no regular file, or has a name that cannot
// be one of ours, is told as refused.
struct FoundFile {
  tracking::ArtifactPath path;  // relative to the directory
  std::filesystem::path file;
};
struct FoundFiles {
  std::vector<FoundFile> files;
  std::vector<std::string> refused;  // "…/a\\b: it holds a backslash"
};
// Nothing when there is no such directory.
Result<FoundFiles> find_files(const std::filesystem::path& directory);

}  // namespace ciclo::migrate
