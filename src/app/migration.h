// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/config.h"
#include "base/result.h"
#include "cli/commands.h"
#include "migrate/export.h"
#include "migrate/migration.h"

namespace ciclo::app {

// Copies an MLflow database or file store and its artifacts into the platform that the
// configuration names, which is locked meanwhile, and compares. A dry run writes nothing.
Result<migrate::Report> migrate_mlflow(
    const Config& config, const cli::MigrateOptions& options,
    const std::function<void(const migrate::Progress&)>& progress);

// Writes what the platform that the configuration names holds into an MLflow database and a
// directory, and compares. The platform is locked meanwhile; not_found when there is none.
Result<migrate::ExportReport> export_mlflow(
    const Config& config, const cli::MlflowExportOptions& options,
    const std::function<void(const migrate::Progress&)>& progress);

}  // namespace ciclo::app
