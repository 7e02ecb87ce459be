// SPDX-License-Identifier: Apache-2.0
#include "compute/job_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "compute/launcher.h"

namespace ciclo::compute {

Result<JobLog> JobLog::open(const std::string& path, std::uint64_t bytes_max) {
  JobLog log;
  log.bytes_max_ = bytes_max;
  if (path.empty()) return log;
  log.file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!log.file_.is_open()) return file_error("make the log", path, errno);
  return log;
}

void JobLog::write(std::string_view bytes) {
  if (!file_.is_open()) return;
  const std::uint64_t room = bytes_max_ - std::min(bytes_max_, bytes_);
  const std::size_t head = static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size()));
  append(bytes.substr(0, head));
  tail_.append(bytes.substr(head));
  if (tail_.size() <= 2 * kLogTailBytes) return;
  const std::size_t excess = tail_.size() - kLogTailBytes;
  bytes_dropped_ += excess;
  tail_.erase(0, excess);
}

void JobLog::finish() {
  if (tail_.size() > kLogTailBytes && bytes_dropped_ > 0) {
    const std::size_t excess = tail_.size() - kLogTailBytes;
    bytes_dropped_ += excess;
    tail_.erase(0, excess);
  }
  if (bytes_dropped_ > 0) {
    append("\n[" + std::to_string(bytes_dropped_) + " bytes left out here]\n");
  }
  append(tail_);
  tail_.clear();
}

void JobLog::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      bytes_dropped_ += bytes.size();
      return;
    }
    bytes_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace ciclo::compute
