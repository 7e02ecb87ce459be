// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <utility>

#include "app/configuration.h"
#include "app/migration.h"
#include "app/platform.h"
#include "app/serving.h"
#include "base/random.h"
#include "cli/cli.h"
#include "http/client.h"
#include "steps/job.h"

namespace {

using namespace ciclo;

// The one client of this process; commands talk to servers with it.
struct RemoteClient {
  SystemRandom random;
  std::unique_ptr<http::Client> client;
};

Result<std::unique_ptr<cli::Api>> open_local(const Config& config,
                                             const std::filesystem::path& root) {
  TRY(app::PlatformOptions options, app::platform_options(config));
  options.root = root;
  TRY(options.program, app::this_program());
  TRY(std::shared_ptr<app::Platform> platform, app::Platform::open(options));
  TRY(platform->start());
  const http::Router& router = platform->router();
  return cli::local_api(router, root.string(), platform);
}

Result<std::unique_ptr<cli::Api>> open_remote(RemoteClient& remote, const Config& config,
                                              const std::string& url) {
  TRY(auto options, app::client_options(config));
  remote.client = http::Client::create(remote.random, std::move(options));
  return cli::remote_api(*remote.client, url);
}

}  // namespace

int main(int argc, char** argv) {
  RemoteClient remote;
  cli::Program program;
  program.open_local = open_local;
  program.open_remote = [&remote](const Config& config, const std::string& url) {
    return open_remote(remote, config, url);
  };
  program.config_keys = app::configuration_keys;
  program.serve_platform = app::serve_platform;
  program.serve_model = app::serve_model;
  program.migrate_mlflow = app::migrate_mlflow;
  program.export_mlflow = app::export_mlflow;
  program.run_step = steps::run_job;
  try {
    return cli::run_command_line(argc, argv, program);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "ciclo: %s\n", failure.what());
    return 1;
  }
}
