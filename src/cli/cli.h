// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/config.h"
#include "base/result.h"
#include "cli/commands.h"
#include "cli/session.h"

// The command line: reads the arguments, runs one command, and turns its result into an exit code.

namespace ciclo::cli {

// What the program's wiring adds to the commands.
struct Program {
  // A platform in this process over the given root directory, with the other keys as configured.
  std::function<Result<std::unique_ptr<Api>>(const Config&, const std::filesystem::path& root)>
      open_local;
  std::function<Result<std::unique_ptr<Api>>(const Config&, const std::string& url)> open_remote;
  std::function<Config()> config_keys;  // the keys of the configuration, with defaults
  // `ciclo server`: returns when the server has stopped.
  std::function<Result<void>(const Config&)> serve_platform;
  // `ciclo serve`: a stand-alone model server.
  std::function<Result<void>(const Config&, const std::filesystem::path& model,
                             const std::string& name)>
      serve_model;
  // `ciclo migrate mlflow`, into the platform that the configuration names.
  std::function<Result<migrate::Report>(const Config&, const MigrateOptions&,
                                        const std::function<void(const migrate::Progress&)>&)>
      migrate_mlflow;
  // `ciclo export mlflow`, from the platform that the configuration names.
  std::function<Result<migrate::ExportReport>(const Config&, const MlflowExportOptions&,
                                              const std::function<void(const migrate::Progress&)>&)>
      export_mlflow;
  // `ciclo step --spec FILE`.
  std::function<Result<void>(const std::filesystem::path& spec)> run_step;
};

// 0 for success; 1 when the command failed, with one sentence on standard error; 2 for wrong
// arguments.
int run_command_line(int argc, char** argv, const Program& program);

}  // namespace ciclo::cli
