// SPDX-License-Identifier: Apache-2.0
#include "app/serving.h"

#include <unistd.h>
#include <csignal>
#include <cstdio>

#include "app/configuration.h"
#include "app/model_server.h"
#include "app/platform.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "http/server.h"

namespace ciclo::app {
namespace {

Result<void> configure_log(const Config& config) {
  const std::string& level = config.text("log.level");
  const std::string& format = config.text("log.format");
  const auto chosen = level == "debug"  ? log::Level::kDebug
                      : level == "info" ? log::Level::kInfo
                      : level == "warn" ? log::Level::kWarn
                                        : log::Level::kError;
  if (chosen == log::Level::kError && level != "error") {
    return invalid_argument("log.level must be debug, info, warn or error, got " +
                            ciclo::quoted(level));
  }
  if (format != "auto" && format != "text" && format != "json") {
    return invalid_argument("log.format must be auto, text or json, got " + ciclo::quoted(format));
  }
  log::configure(chosen, format == "json"   ? log::Format::kJson
                         : format == "text" ? log::Format::kText
                                            : log::Format::kAuto);
  return {};
}

// Blocks the signals in this thread and all that it starts, so that only wait_for_signal sees them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int wait_for_signal(const sigset_t& signals) {
  int number = 0;
  sigwait(&signals, &number);
  return number;
}

Result<void> listen_until_signal(const Config& config, const http::Router& router,
                                 const sigset_t& signals) {
  SystemClock clock;
  SystemRandom random;
  TRY(const http::ServerOptions options, server_options(config));
  TRY(const auto server, http::Server::start(router, clock, random, options));
  const std::string scheme = options.certificate_file.empty() ? "http" : "https";
  std::printf("ready %s://%s\n", scheme.c_str(), server->address().c_str());
  std::fflush(stdout);
  const int number = wait_for_signal(signals);
  log::info("stopping", {{"signal", number}});
  server->drain(std::chrono::milliseconds(config.integer("drain_ms")));
  return {};
}

}  // namespace

Result<void> serve_platform(const Config& config) {
  TRY(configure_log(config));
  const sigset_t signals = block_signals();
  PlatformOptions options;
  options.root = config.text("root");
  options.database_url = config.text("database");
  options.blobs_url = config.text("blobs");
  options.pipeline_parallel_max = static_cast<int>(config.integer("pipeline.parallel_max"));
  options.monitor_poll_ms = config.integer("monitor.poll_ms");
  if (options.pipeline_parallel_max < 1 || options.pipeline_parallel_max > 64) {
    return invalid_argument("pipeline.parallel_max must lie between 1 and 64, got " +
                            std::to_string(options.pipeline_parallel_max));
  }
  TRY(options.program, this_program());
  TRY(const auto platform, Platform::open(options));
  TRY(platform->start());
  return listen_until_signal(config, platform->router(), signals);
}

Result<void> serve_model(const Config& config, const std::filesystem::path& model,
                         const std::string& name) {
  TRY(configure_log(config));
  const sigset_t signals = block_signals();
  TRY(const auto server, ModelServer::open(model, name));
  return listen_until_signal(config, server->router(), signals);
}

Result<std::filesystem::path> this_program() {
  std::error_code failure;
  auto path = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return internal("cannot tell the path of this program: " + failure.message());
  return path;
}

}  // namespace ciclo::app
