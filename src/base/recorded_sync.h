// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <system_error>

// For tests: which files and directories this process has synced. The definition of fsync here
// takes the place of the C library's in the whole program, so one source of a test program may
// include this.

namespace ciclo {

class RecordedSync {
 public:
  static void add(int descriptor) {
    std::error_code failure;
    const auto path =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), failure);
    const std::lock_guard lock(mutex());
    if (!failure) paths().insert(path.string());
  }
  static bool has(const std::filesystem::path& path) {
    const std::lock_guard lock(mutex());
    return paths().contains(path.string());
  }
  static void clear() {
    const std::lock_guard lock(mutex());
    paths().clear();
  }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static std::set<std::string>& paths() {
    static std::set<std::string> instance;
    return instance;
  }
};

}  // namespace ciclo

extern "C" int fsync(int descriptor) {
  ciclo::RecordedSync::add(descriptor);
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}
