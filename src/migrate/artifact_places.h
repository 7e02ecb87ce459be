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

// The regular files below a directory, by path. What is no regular file, or has a name that cannot
// be one of ours, is told as refused; so is a symbolic link, the directory itself too, for it may
// lead to what was never an artifact.
struct FoundFile {
  tracking::ArtifactPath path;  // relative to the directory
  std::filesystem::path file;
};
struct FoundFiles {
  bool is_there = false;  // the directory
  std::vector<FoundFile> files;
  std::vector<std::string> refused;  // "…/a\\b: it holds a backslash"
};

// Where the artifacts of an MLflow server are, and where they are to be with us. What lies on this
// machine, as file:, as a path or behind the server's own mlflow-artifacts:, moves into our tree
// of names; what is elsewhere (s3://…) stays there, and its URI as it is.
class ArtifactPlaces {
 public:
  // `root` is the server's --artifacts-destination; empty: not given. `trees` are more directories
  // with the layout of ours, in which a place that is gone is looked for.
  explicit ArtifactPlaces(std::filesystem::path root,
                          std::vector<std::filesystem::path> trees = {});

  static bool is_local(std::string_view uri);

  // Whether the root is needed for it and was not given.
  bool is_root_missing(std::string_view uri) const;

  // Whether the files of an experiment at a local URI must be somewhere that nobody has named: not
  // even the directory above its place is on this machine, and there is no root and no tree.
  // failed_precondition when that cannot be told, as for want of permission.
  Result<bool> is_elsewhere(std::string_view uri) const;

  // Where a local URI leads: a directory or file that may not be there. A place that is gone is
  // looked for below the root and the trees as `ours`, as in a tree that was moved.
  // failed_precondition when the root is needed and was not given; invalid_argument for a URI that
  // leaves it.
  Result<std::filesystem::path> locate(std::string_view uri,
                                       const tracking::ArtifactPath& ours) const;

  // The files at a local URI. Errors as of locate() and find_files().
  Result<FoundFiles> find(std::string_view uri, const tracking::ArtifactPath& ours) const;

 private:
  struct Place {
    std::filesystem::path tree;  // one of trees_; empty: `rest` is a path of its own
    std::filesystem::path rest;
  };
  Result<Place> place(std::string_view uri, const tracking::ArtifactPath& ours) const;

  const std::filesystem::path root_;
  std::vector<std::filesystem::path> trees_;  // with the root, if there is one
};

// The path that "file:///a%20b" or "./a" names.
std::filesystem::path path_of_uri(std::string_view uri);

// Our places: EXPERIMENT, EXPERIMENT/RUN/artifacts, EXPERIMENT/models/MODEL/artifacts.
Result<tracking::ArtifactPath> place_of(const tracking::Experiment& experiment);
Result<tracking::ArtifactPath> place_of(const tracking::RunInfo& run);
Result<tracking::ArtifactPath> place_of(const tracking::LoggedModel& model);

// failed_precondition for a directory that cannot be read, which is not one that is not there.
Result<FoundFiles> find_files(const std::filesystem::path& directory);

}  // namespace ciclo::migrate
