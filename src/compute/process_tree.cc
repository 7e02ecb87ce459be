// SPDX-License-Identifier: Apache-2.0
#include "compute/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "compute/descriptor.h"
#include "compute/process.h"

namespace ciclo::compute {
namespace {

constexpr int kPassesMax = 50;
constexpr int kExecMs = 5;
constexpr int kDeathMs = 2'000;
constexpr std::size_t kEnvironmentBytesMax = 4 << 20;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::vector<pid_t> all_processes() {
  std::vector<pid_t> found;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir("/proc"));
  if (!directory) return found;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (const auto pid = parse_int(entry->d_name)) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

// Empty for a process that is gone, dead, or another user's.
std::string environment_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/environ";
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[8192];
  while (file.is_open() && text.size() < kEnvironmentBytesMax) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

bool belongs(pid_t pid, std::span<const std::string> names) {
  const std::string prefix = std::string(kJobVariable) + "=";
  const std::string environment = environment_of(pid);
  for (const std::string_view variable : split(environment, '\0')) {
    if (!variable.starts_with(prefix)) continue;
    const std::string_view value = variable.substr(prefix.size());
    return std::find(names.begin(), names.end(), value) != names.end();
  }
  return false;
}

// The process is looked at again through its descriptor, so that a number that was given to another
// process in between hits nobody.
void kill_and_await(pid_t pid, std::span<const std::string> names) {
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.is_open() || !belongs(pid, names)) return;
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  pollfd end{process.get(), POLLIN, 0};
  ::poll(&end, 1, kDeathMs);
}

}  // namespace

Result<void> kill_jobs_by_name(std::span<const std::string> names) {
  if (names.empty()) return {};
  // A process that is just becoming another program has no environment for a moment, so nothing is
  // believed to be left only when nothing was found twice.
  int empty_passes = 0;
  for (int pass = 0; pass < kPassesMax; ++pass) {
    bool found = false;
    for (const pid_t pid : all_processes()) {
      if (pid == ::getpid() || !belongs(pid, names)) continue;
      found = true;
      kill_and_await(pid, names);
    }
    empty_passes = found ? 0 : empty_passes + 1;
    if (empty_passes == 2) return {};
    if (!found) ::poll(nullptr, 0, kExecMs);
  }
  return unavailable("processes of the job " + names.front() + " cannot be killed");
}

}  // namespace ciclo::compute
