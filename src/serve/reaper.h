// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/endpoints.h"

namespace ciclo::serve {

// Frees versions on a thread of its own: giving back a large model takes long, and the last one to
// hold a version is as a rule a request. Safe to share between threads.
class Reaper : public std::enable_shared_from_this<Reaper> {
 public:
  Reaper();
  ~Reaper();

  // The version, to be freed here after its last holder has let go, whenever that is.
  std::shared_ptr<const ServingVersion> share(std::unique_ptr<ServingVersion> version);

  // Frees what waits and ends the thread; what is let go later is freed where it is let go.
  void stop();

 private:
  void take(const ServingVersion* version);
  void free_until_stopped(std::stop_token stop);

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<std::unique_ptr<const ServingVersion>> waiting_;  // guarded by mutex_
  bool is_stopped_ = false;                                     // guarded by mutex_
  std::jthread thread_;
};

}  // namespace ciclo::serve
