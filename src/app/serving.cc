// SPDX-License-Identifier: Apache-2.0
#include "app/serving.h"

#include <unistd.h>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "app/configuration.h"
#include "app/model_server.h"
#include "app/platform.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "http/descriptors.h"
#include "http/server.h"

namespace ciclo::app {
namespace {

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

// With no more connections than the process may have open files.
Result<http::ServerOptions> capped(Result<http::ServerOptions> wanted) {
  TRY(http::ServerOptions options, std::move(wanted));
  const std::size_t limit = http::raise_descriptor_limit();
  const std::size_t fitting = http::connections_below(limit, options.connections_max);
  if (fitting < options.connections_max) {
    log::warn("the limit of open files allows fewer connections",
              {{"open_files_max", static_cast<std::int64_t>(limit)},
               {"http.connections_max", static_cast<std::int64_t>(options.connections_max)},
               {"allowed", static_cast<std::int64_t>(fitting)}});
    options.connections_max = fitting;
  }
  return options;
}

Result<void> listen_until_signal(const Config& config, const http::Router& router,
                                 ObservedServer& observed, const sigset_t& signals) {
  SystemClock clock;
  SystemRandom random;
  TRY(const http::ServerOptions options, capped(server_options(config)));
  TRY(const auto drain_ms, drain_limit(config));
  TRY(const auto server, http::Server::start(router, clock, random, options));
  observed.set(server.get());
  const std::string scheme = options.certificate_file.empty() ? "http" : "https";
  std::printf("ready %s://%s\n", scheme.c_str(), server->address().c_str());
  std::fflush(stdout);
  const int number = wait_for_signal(signals);
  log::info("stopping", {{"signal", number}});
  server->drain(drain_ms);
  observed.set(nullptr);
  return {};
}

}  // namespace

Result<void> serve_platform(const Config& config) {
  TRY(configure_log(config));
  const sigset_t signals = block_signals();
  TRY(PlatformOptions options, platform_options(config));
  TRY(options.program, this_program());
  TRY(const auto platform, Platform::open(options));
  TRY(platform->start());
  return listen_until_signal(config, platform->router(), platform->observed(), signals);
}

Result<void> serve_model(const Config& config, const std::filesystem::path& model,
                         const std::string& name) {
  TRY(configure_log(config));
  const sigset_t signals = block_signals();
  TRY(const auto server, ModelServer::open(model, name));
  return listen_until_signal(config, server->router(), server->observed(), signals);
}

Result<std::filesystem::path> this_program() {
  std::error_code failure;
  auto path = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return internal("cannot tell the path of this program: " + failure.message());
  return path;
}

}  // namespace ciclo::app
