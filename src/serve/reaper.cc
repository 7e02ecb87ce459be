// SPDX-License-Identifier: Apache-2.0
#include "serve/reaper.h"

#include <utility>

#include "base/worker_pool.h"

namespace ciclo::serve {

Reaper::Reaper() : thread_([this](std::stop_token stop) { free_until_stopped(stop); }) {}

Reaper::~Reaper() { stop(); }

std::shared_ptr<const ServingVersion> Reaper::share(std::unique_ptr<ServingVersion> version) {
  // The deleter holds the reaper: a version may outlive the endpoints.
  return std::shared_ptr<const ServingVersion>(
      version.release(),
      [reaper = shared_from_this()](const ServingVersion* last) { reaper->take(last); });
}

void Reaper::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Reaper::take(const ServingVersion* version) {
  std::unique_ptr<const ServingVersion> owned(version);
  const std::lock_guard lock(mutex_);
  if (is_stopped_) return;  // freed here
  waiting_.push_back(std::move(owned));
  wake_.notify_one();
}

void Reaper::free_until_stopped(std::stop_token stop) {
  set_thread_name("serve-free");
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, stop, [&] { return !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto batch = std::exchange(waiting_, {});
    lock.unlock();
    batch.clear();
    lock.lock();
  }
}

}  // namespace ciclo::serve
