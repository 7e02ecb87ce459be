// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace ciclo {

// A call that its client may send again under the same key, and how far this attempt has come. Made
// where the request arrives, one for each attempt, and used by the thread that runs it: what goes
// on after the answer must not keep it.
struct KeyedCall {
  std::string key;
  std::string request;    // what is asked: "POST /api/2.0/mlflow/runs/create"
  std::string body_hash;  // of the request's body
  std::int64_t received_ms = 0;

  std::int64_t parts = 0;     // recorded transactions of this attempt, so far
  std::int64_t replayed = 0;  // those of them that an earlier attempt had done

  // Whether all that this attempt had to write was written before.
  bool is_replayed() const { return parts > 0 && replayed == parts; }
};

}  // namespace ciclo
