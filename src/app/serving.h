// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/config.h"
#include "base/result.h"

// The commands that listen. Both print `ready http://HOST:PORT` on standard output once GET /health
// answers 200, and return after SIGTERM or SIGINT, when what was under way is answered.

namespace ciclo::app {

// `ciclo server`
Result<void> serve_platform(const Config& config);

// `ciclo serve`: one model package under /v2/models/NAME, /invocations and /ping.
Result<void> serve_model(const Config& config, const std::filesystem::path& model,
                         const std::string& name);

// The path of this binary.
Result<std::filesystem::path> this_program();

}  // namespace ciclo::app
