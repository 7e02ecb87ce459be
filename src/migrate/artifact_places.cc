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

Result<ArtifactPath> below(const std::string& experiment, const std::string& rest) {
  return ArtifactPath::parse(rest.empty() ? experiment : experiment + "/" + rest);
}

}  // namespace

bool ArtifactPlaces::is_local(std::string_view uri) {
  const std::size_t colon = uri.find(':');
  return colon == std::string_view::npos || uri.starts_with('/') || uri.starts_with('.') ||
         uri.starts_with(kServed) || uri.starts_with(kFile);
}

bool ArtifactPlaces::is_root_missing(std::string_view uri) const {
  return uri.starts_with(kServed) && root_.empty();
}

Result<std::filesystem::path> ArtifactPlaces::locate(std::string_view uri,
                                                     const ArtifactPath& ours) const {
  if (is_root_missing(uri)) {
    return failed_precondition("artifacts are at " + quoted(uri) +
                               ", which only the MLflow server knows the place of: name the "
                               "directory that it has as --artifacts-destination with --artifacts");
  }
  if (uri.starts_with(kServed)) {
    TRY(const auto path, ArtifactPath::from_uri(uri));
    return root_ / path.str();
  }
  const std::filesystem::path named =
      uri.starts_with(kFile) ? path_of_file_uri(uri) : std::filesystem::path(uri);
  std::error_code ignored;
  if (!root_.empty() && !std::filesystem::exists(named, ignored)) return root_ / ours.str();
  return named;
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
  FoundFiles found;
  std::error_code failed;
  if (!std::filesystem::is_directory(directory, failed)) return found;
  std::filesystem::recursive_directory_iterator entries(directory, failed);
  for (; !failed && entries != std::filesystem::recursive_directory_iterator();
       entries.increment(failed)) {
    if (entries->is_directory() && !entries->is_symlink()) continue;
    const std::string name = entries->path().lexically_relative(directory).generic_string();
    if (entries->is_symlink() || !entries->is_regular_file()) {
      found.refused.push_back(entries->path().string() + ": it is no regular file");
      continue;
    }
    auto path = ArtifactPath::parse(name);
    if (path.ok()) {
      found.files.push_back({std::move(path).value(), entries->path()});
    } else {
      found.refused.push_back(entries->path().string() + ": " + path.error().message);
    }
  }
  if (failed) {
    return failed_precondition("cannot read the artifacts below " + quoted(directory.string()) +
                               ": " + failed.message());
  }
  std::sort(found.files.begin(), found.files.end(),
            [](const auto& a, const auto& b) { return a.path.str() < b.path.str(); });
  return found;
}

}  // namespace ciclo::migrate
