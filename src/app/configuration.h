// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "app/platform.h"
#include "base/config.h"
#include "base/result.h"
#include "http/client.h"
#include "http/server.h"

// What the configuration's keys mean to the parts of the program. Everything that opens a platform,
// a server or a client goes through here, so that a key counts wherever it applies. All functions
// return invalid_argument for a number out of range or a word that is none of the choices.

namespace ciclo::app {

// Every key with its default. docs/reference/configuration.md lists them.
Config configuration_keys();

Result<void> configure_log(const Config& config);
Result<http::ServerOptions> server_options(const Config& config);
Result<http::ClientOptions> client_options(const Config& config);
// Without `program`, which the configuration does not know.
Result<PlatformOptions> platform_options(const Config& config);
Result<std::chrono::milliseconds> drain_limit(const Config& config);

}  // namespace ciclo::app
