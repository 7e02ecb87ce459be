// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace ciclo {

// What every call carries from the edge to the store: on whose behalf, in which workspace, under
// which request id, until when. A value; copies are cheap enough to keep with parked work.
struct Context {
  std::string workspace = "default";
  std::string caller = "anonymous";
  std::string request_id;
  // Clock::monotonic_ns() after which the caller no longer waits; 0: no deadline.
  std::int64_t deadline_ns = 0;

  // deadline_exceeded once the deadline has passed. Called before slow work.
  Result<void> check_deadline(Clock& clock) const {
    if (deadline_ns != 0 && clock.monotonic_ns() > deadline_ns) {
      return deadline_exceeded("the request's deadline passed before the work was done");
    }
    return {};
  }
};

}  // namespace ciclo
