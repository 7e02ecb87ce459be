// SPDX-License-Identifier: Apache-2.0
#include "compute/launcher.h"

#include <cstring>

#include "base/check.h"

namespace ciclo::compute {

JobEnd Job::wait() {
  constexpr std::int64_t kHourMs = 3'600'000;
  for (;;) {
    if (auto end = wait_for(kHourMs)) return *std::move(end);
  }
}

std::string JobEnd::describe() const {
  switch (reason) {
    case EndReason::kExited: return "exited with status " + std::to_string(exit_code);
    case EndReason::kSignalled: {
      const char* name = ::sigdescr_np(signal);
      return "was ended by signal " + std::to_string(signal) + " (" +
             (name != nullptr ? name : "unknown") + ")";
    }
    case EndReason::kTimedOut:
      return "ran longer than its time-out and was ended after " + std::to_string(usage.wall_ms) +
             " ms";
    case EndReason::kCancelled: return "was cancelled";
    case EndReason::kNotStarted: return error;
  }
  CHECK(false);
}

}  // namespace ciclo::compute
