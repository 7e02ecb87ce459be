// SPDX-License-Identifier: Apache-2.0
#include "migrate/artifact_places.h"

#include <algorithm>
#include <system_error>

#include "base/text.h"

namespace ciclo::migrate {

namespace {

using tracking::ArtifactPath;

constexpr std::string_view kServed = "mlflow-artifacts:";
constexpr std::string_view kFile = "file:";

// "file:///a%20b" as "/a b"; the host, if there is one, is this machine.
std::filesystem::path path_of_file_uri(std::string_view uri) {
  std::string_view rest = uri.substr(kFile.size());
  if (rest.starts_with("//")) {
    const std::size_t slash = rest.find('/', 2);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  }
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const auto digit = [&](std::size_t at) -> int {
      if (at >= rest.size()) return -1;
      const char c = rest[at];
      if (c >= '0' && c <= '9') return c - '0';
      if (c >= 'a' && c <= 'f') return c - 'a' + 10;
      if (c >= 'A' && c <= 'F') return c - 'A' + 10;
      return -1;
    };
    if (rest[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
      path.push_back(static_cast<char>(digit(i + 1) * 16 + digit(i + 2)));
      i += 2;
    } else {
      path.push_back(rest[i]);
    }
  }
  return path;
}

// The first part of a path below a tree that is a symbolic link.
std::optional<std::filesystem::path> link_in(const std::filesystem::path& tree,
                                             const std::filesystem::path& rest) {
  std::error_code ignored;
  std::filesystem::path at = tree;
  for (const auto& part : rest) {
    at /= part;
    if (std::filesystem::is_symlink(std::filesystem::symlink_status(at, ignored))) return at;
  }
  return std::nullopt;
}

Error cannot_read(const std::filesystem::path& directory, const std::error_code& failed) {
  return failed_precondition("cannot read the artifacts below " + quoted(directory.string()) +
                             ": " + failed.message());
}

// Why an entry is no file of ours; empty: it is one, or a directory.
std::string why_refused(const std::filesystem::file_status& status) {
  if (std::filesystem::is_symlink(status)) return "it is a symbolic link";
  if (std::filesystem::is_regular_file(status) || std::filesystem::is_directory(status)) return "";
  return "it is no regular file";
}

Result<ArtifactPath> below(const std::string& experiment, const std::string& rest) {
  return ArtifactPath::parse(rest.empty() ? experiment : experiment + "/" + rest);
}

}  // namespace

std::filesystem::path path_of_uri(std::string_view uri) {
  return uri.starts_with(kFile) ? path_of_file_uri(uri) : std::filesystem::path(uri);
}

ArtifactPlaces::ArtifactPlaces(std::filesystem::path root, std::vector<std::filesystem::path> trees)
    : root_(std::move(root)), trees_(std::move(trees)) {
  if (!root_.empty()) trees_.insert(trees_.begin(), root_);
}

bool ArtifactPlaces::is_local(std::string_view uri) {
  const std::size_t colon = uri.find(':');
  return colon == std::string_view::npos || uri.starts_with('/') || uri.starts_with('.') ||
         uri.starts_with(kServed) || uri.starts_with(kFile);
}

bool ArtifactPlaces::is_root_missing(std::string_view uri) const {
  return uri.starts_with(kServed) && root_.empty();
}

Result<bool> ArtifactPlaces::is_elsewhere(std::string_view uri) const {
  if (!trees_.empty() || uri.starts_with(kServed)) return false;
  const auto named = path_of_uri(uri);
  const auto above = named.has_parent_path() ? named.parent_path() : std::filesystem::path(".");
  std::error_code failed;
  const auto status = std::filesystem::status(above, failed);
  if (status.type() == std::filesystem::file_type::not_found) return true;
  if (failed) return cannot_read(above, failed);
  return false;
}

Result<ArtifactPlaces::Place> ArtifactPlaces::place(std::string_view uri,
                                                    const ArtifactPath& ours) const {
  if (is_root_missing(uri)) {
    return failed_precondition("artifacts are at " + quoted(uri) +
                               ", which only the MLflow server knows the place of: name the "
                               "directory that it has as --artifacts-destination with --artifacts");
  }
  if (uri.starts_with(kServed)) {
    TRY(const auto path, ArtifactPath::from_uri(uri));
    return Place{root_, path.str()};
  }
  const auto named = path_of_uri(uri);
  std::error_code ignored;
  const auto is_gone = [&](const std::filesystem::path& path) {
    return std::filesystem::symlink_status(path, ignored).type() ==
           std::filesystem::file_type::not_found;
  };
  if (trees_.empty() || !is_gone(named)) return Place{{}, named};
  for (const auto& tree : trees_) {
    if (!is_gone(tree / ours.str())) return Place{tree, ours.str()};
  }
  return Place{trees_.front(), ours.str()};
}

Result<std::filesystem::path> ArtifactPlaces::locate(std::string_view uri,
                                                     const ArtifactPath& ours) const {
  TRY(const auto found, place(uri, ours));
  return found.tree.empty() ? found.rest : found.tree / found.rest;
}

Result<FoundFiles> ArtifactPlaces::find(std::string_view uri, const ArtifactPath& ours) const {
  TRY(const auto found, place(uri, ours));
  if (found.tree.empty()) return find_files(found.rest);
  if (const auto link = link_in(found.tree, found.rest)) {
    return FoundFiles{.is_there = true, .refused = {link->string() + ": it is a symbolic link"}};
  }
  TRY(auto files, find_files(found.tree / found.rest));
  // An empty folder in a tree does not tell that there were none at the place that is gone:
  // MLflow's file store makes one for each run, wherever its artifacts are.
  if (!uri.starts_with(kServed) && files.files.empty()) files.is_there = false;
  return files;
}

Result<ArtifactPath> place_of(const tracking::Experiment& experiment) {
  return below(experiment.experiment_id.str(), "");
}

Result<ArtifactPath> place_of(const tracking::RunInfo& run) {
  return below(run.experiment_id.str(), run.run_id.str() + "/artifacts");
}

Result<ArtifactPath> place_of(const tracking::LoggedModel& model) {
  return below(model.experiment_id.str(), "models/" + model.model_id.str() + "/artifacts");
}

Result<FoundFiles> find_files(const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  FoundFiles found;
  std::error_code failed;
  const auto status = fs::symlink_status(directory, failed);
  if (status.type() == fs::file_type::not_found) return found;
  if (failed) return cannot_read(directory, failed);
  found.is_there = true;
  if (!fs::is_directory(status)) {
    const std::string why = why_refused(status);
    found.refused.push_back(directory.string() + ": " + (why.empty() ? "it is a file" : why));
    return found;
  }
  fs::recursive_directory_iterator entries(directory, failed);
  for (; !failed && entries != fs::recursive_directory_iterator(); entries.increment(failed)) {
    const auto kind = entries->symlink_status(failed);
    if (failed) break;
    if (fs::is_directory(kind)) continue;
    if (const std::string why = why_refused(kind); !why.empty()) {
      found.refused.push_back(entries->path().string() + ": " + why);
      continue;
    }
    auto path = ArtifactPath::parse(entries->path().lexically_relative(directory).generic_string());
    if (path.ok()) {
      found.files.push_back({std::move(path).value(), entries->path()});
    } else {
      found.refused.push_back(entries->path().string() + ": " + path.error().message);
    }
  }
  if (failed) return cannot_read(directory, failed);
  std::sort(found.files.begin(), found.files.end(),
            [](const auto& a, const auto& b) { return a.path.str() < b.path.str(); });
  return found;
}

}  // namespace ciclo::migrate
