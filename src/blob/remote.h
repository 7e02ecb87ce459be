// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "blob/direct.h"
#include "blob/store.h"

namespace ciclo::blob {

// What a store offers beside `Store` when it keeps its values in a service. Safe to share between
// threads.
//
// `Store::local_path` of such a store brings the value here, as a copy. A copy stays for as long as
// OpenOptions::cache_kept says after it was last asked for, in which time it must have been opened;
// then it is dropped when there is no room.
class Remote {
 public:
  virtual ~Remote() = default;

  // The path of a copy that is here already, for whoever can as well `read`. When there is none,
  // the value may be missing, too.
  virtual Result<std::optional<std::string>> copy_at_hand(const Hash& hash) = 0;

  // Transfers past this program; null where clients must not be sent to the service.
  virtual Direct* direct() = 0;
};

// Null for a store that keeps its values on this machine.
Remote* remote_of(Store& store);

}  // namespace ciclo::blob
