// SPDX-License-Identifier: Apache-2.0
#include "app/migration.h"

#include <filesystem>
#include <optional>

#include "app/configuration.h"
#include "app/root.h"
#include "base/clock.h"
#include "base/file.h"
#include "sql/database.h"

namespace ciclo::app {
namespace {

// What the source is known by: its URL without a password, and the whole path of a file.
std::string name_of_source(const std::string& from) {
  constexpr std::string_view kSqlite = "sqlite:";
  const std::string url = migrate::database_url(from);
  if (!url.starts_with(kSqlite)) return sql::redact_url(url);
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(url.substr(kSqlite.size()), ignored);
  return std::string(kSqlite) + path.string();
}

}  // namespace

Result<migrate::Report> migrate_mlflow(
    const Config& config, const cli::MigrateOptions& options,
    const std::function<void(const migrate::Progress&)>& progress) {
  TRY(const auto source, migrate::MlflowDatabase::open(options.from));
  if (!options.artifacts.empty() && !std::filesystem::is_directory(options.artifacts)) {
    return not_found("--artifacts " + options.artifacts + " is no directory");
  }
  TRY(const PlatformOptions platform, platform_options(config));
  RootOptions wanted{platform.root, platform.database_url, platform.database, platform.blobs_url,
                     platform.blobs};
  std::optional<TemporaryDirectory> nowhere;
  if (options.dry_run && !std::filesystem::exists(wanted.root)) {
    wanted.root = nowhere.emplace().path();
  }
  TRY(Root root, open_root(wanted));
  SystemClock clock;
  migrate::Migration migration(*source, name_of_source(options.from),
                               migrate::ArtifactPlaces(options.artifacts),
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
