// SPDX-License-Identifier: Apache-2.0
#include "app/migration.h"

#include <filesystem>
#include <optional>

#include "app/configuration.h"
#include "app/root.h"
#include "base/clock.h"
#include "base/file.h"
#include "migrate/mlflow_database.h"
#include "migrate/mlflow_folder.h"
#include "sql/database.h"

namespace ciclo::app {
namespace {

constexpr std::string_view kSqlite = "sqlite:";

// A path or file: URI is that of a folder of MLflow's file store.
bool is_folder(const std::string& from) {
  return migrate::ArtifactPlaces::is_local(from) && !from.starts_with("mlflow-artifacts:");
}

Result<std::unique_ptr<migrate::Source>> open_source(const std::string& from) {
  using Opened = std::unique_ptr<migrate::Source>;
  if (!is_folder(from)) {
    TRY(auto database, migrate::MlflowDatabase::open(from));
    return Opened(std::move(database));
  }
  const auto path = migrate::path_of_uri(from);
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored)) {
    return invalid_argument("--from " + from +
                            " is a file: a database is named by its URL, sqlite:///" +
                            path.string());
  }
  TRY(auto folder, migrate::MlflowFolder::open(path));
  return Opened(std::move(folder));
}

// What the source is known by: its URL without a password, and the whole path of a file or folder.
std::string name_of_source(const std::string& from) {
  std::error_code ignored;
  if (is_folder(from)) {
    return "file:" +
           std::filesystem::weakly_canonical(migrate::path_of_uri(from), ignored).string();
  }
  const std::string url = migrate::database_url(from);
  if (!url.starts_with(kSqlite)) return sql::redact_url(url);
  const auto path = std::filesystem::weakly_canonical(url.substr(kSqlite.size()), ignored);
  return std::string(kSqlite) + path.string();
}

// The folder of the file store is itself a tree of artifacts, as it was where it comes from.
migrate::ArtifactPlaces places_of(const cli::MigrateOptions& options) {
  if (!is_folder(options.from)) return migrate::ArtifactPlaces(options.artifacts);
  const auto folder = migrate::path_of_uri(options.from);
  return migrate::ArtifactPlaces(options.artifacts, {folder, folder / ".trash"});
}

}  // namespace

Result<migrate::Report> migrate_mlflow(
    const Config& config, const cli::MigrateOptions& options,
    const std::function<void(const migrate::Progress&)>& progress) {
  TRY(const auto source, open_source(options.from));
  std::error_code ignored;
  if (!options.artifacts.empty() && !std::filesystem::is_directory(options.artifacts, ignored)) {
    return not_found("--artifacts " + options.artifacts + " is no directory");
  }
  TRY(const PlatformOptions platform, platform_options(config));
  RootOptions wanted{platform.root, platform.database_url, platform.database, platform.blobs_url,
                     platform.blobs};
  std::optional<TemporaryDirectory> nowhere;
  if (options.dry_run) {
    TRY(const bool is_new, is_new_root(wanted));
    if (is_new) wanted = {.root = nowhere.emplace().path()};
  }
  TRY(Root root, open_root(wanted));
  SystemClock clock;
  migrate::Migration migration(*source, name_of_source(options.from), places_of(options),
                               {*root.database, *root.blobs, clock}, progress);
  if (options.dry_run) return migration.plan();
  TRY(auto report, migration.copy());
  TRY(migration.verify(report));
  return report;
}

Result<migrate::ExportReport> export_mlflow(
    const Config& config, const cli::MlflowExportOptions& options,
    const std::function<void(const migrate::Progress&)>& progress) {
  TRY(const PlatformOptions platform, platform_options(config));
  if (!std::filesystem::exists(platform.root)) {
    return not_found("there is nothing to export: " + platform.root.string() +
                     " does not exist; name the server's --root");
  }
  // Before it is opened for writing, which alone changes a file of SQLite.
  TRY(migrate::check_export_target(options.to));
  TRY(const auto written, migrate::MlflowDatabase::open(options.to));
  TRY(auto to, sql::open(migrate::database_url(options.to)));
  TRY(Root root, open_root({platform.root, platform.database_url, platform.database,
                            platform.blobs_url, platform.blobs}));
  SystemClock clock;
  migrate::Export work({*root.database, *root.blobs, clock}, *to, options.artifacts, progress);
  TRY(auto report, work.write());
  TRY(work.verify(*written, report));
  return report;
}

}  // namespace ciclo::app
