// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "base/result.h"

namespace ciclo::compute {

// Kills (SIGKILL) all processes of this user whose environment names one of the jobs
// (kJobVariable), until none is left; unavailable when some do not die within seconds. One pass
// reads /proc once.
Result<void> kill_jobs_by_name(std::span<const std::string> names);

}  // namespace ciclo::compute
