// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/config.h"
#include "base/result.h"
#include "cli/commands.h"
#include "migrate/migration.h"

namespace ciclo::app {

// Copies an MLflow database and its artifacts into the platform that the configuration names, which
// is locked meanwhile, and compares. A dry run into a root that is not there makes none.
Result<migrate::Report> migrate_mlflow(
    const Config& config, const cli::MigrateOptions& options,
    const std::function<void(const migrate::Progress&)>& progress);

}  // namespace ciclo::app
