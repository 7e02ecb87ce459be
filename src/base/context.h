// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/keyed_call.h"
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
  // True once nobody waits for the result any more: the client has gone, or the server's time to
  // drain is over. Shared with who sets it; null where nobody does.
  std::shared_ptr<const std::atomic<bool>> cancellation;
  // The key under which the caller may send the call again; null without one. Shared with who
  // answers, which tells whether it was sent before.
  std::shared_ptr<KeyedCall> keyed;

  bool is_cancelled() const { return cancellation != nullptr && *cancellation; }

  // cancelled once nobody waits any more, deadline_exceeded once the deadline has passed. Called
  // before slow work and between its parts.
  Result<void> check_deadline(Clock& clock) const {
    if (is_cancelled()) return cancelled("the caller went away before the work was done");
    if (deadline_ns != 0 && clock.monotonic_ns() > deadline_ns) {
      return deadline_exceeded("the request's deadline passed before the work was done");
    }
    return {};
  }
};

}  // namespace ciclo
