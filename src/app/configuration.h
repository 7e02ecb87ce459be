// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "http/server.h"

namespace ciclo::app {

// Every key of the configuration with its default. docs/reference/configuration.md lists them.
Config configuration_keys();

// The HTTP server's part. invalid_argument for numbers out of range.
Result<http::ServerOptions> server_options(const Config& config);

}  // namespace ciclo::app
