// SPDX-License-Identifier: Apache-2.0
#include "compute/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "compute/process.h"

extern char** environ;

namespace ciclo::compute {
namespace {

struct Pipe {
  Descriptor read;
  Descriptor write;
};

// Above the numbers that the child gives to its own descriptors, so that dup2 never overwrites a
// source.
constexpr int kFirstNumber = 10;

Result<Descriptor> move_up(Descriptor low) {
  if (low.get() >= kFirstNumber) return low;
  Descriptor high(::fcntl(low.get(), F_DUPFD_CLOEXEC, kFirstNumber));
  if (!high.is_open()) return resource_exhausted("too many open files to start a process");
  return high;
}

Result<Pipe> make_pipe() {
  int numbers[2];
  if (::pipe2(numbers, O_CLOEXEC) != 0) {
    return resource_exhausted("cannot make a pipe to a process: " +
                              std::string(std::strerror(errno)));
  }
  Pipe pipe{Descriptor(numbers[0]), Descriptor(numbers[1])};
  TRY(pipe.read, move_up(std::move(pipe.read)));
  TRY(pipe.write, move_up(std::move(pipe.write)));
  return pipe;
}

void never_block(const Descriptor& descriptor) {
  ::fcntl(descriptor.get(), F_SETFL, ::fcntl(descriptor.get(), F_GETFL) | O_NONBLOCK);
}

Result<std::string> find_program(const std::string& name) {
  if (name.empty()) return invalid_argument("a job needs a program");
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  for (const std::string_view directory : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    const std::string candidate = std::string(directory.empty() ? "." : directory) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return not_found("program " + quoted(name) + " is not in PATH");
}

std::vector<std::string> merged_environment(const JobSpec& spec) {
  std::vector<std::string> merged;
  const auto is_replaced = [&](std::string_view name) {
    if (name == kJobVariable) return true;
    for (const auto& variable : spec.environment) {
      if (variable.first == name) return true;
    }
    return false;
  };
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!is_replaced(text.substr(0, text.find('=')))) merged.emplace_back(text);
  }
  for (const auto& [name, value] : spec.environment) merged.push_back(name + "=" + value);
  merged.push_back(std::string(kJobVariable) + "=" + spec.name);
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// All that the child needs, made before it starts: between vfork and exec it may not allocate.
struct Plan {
  const char* program;
  char* const* argv;
  char* const* environment;
  const char* directory;  // nullptr: stay
  int input, log, lines, failure;
  pid_t parent;
};

[[noreturn]] void become(const Plan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (::getppid() != plan.parent) ::_exit(127);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(plan.input, 0);
  ::dup2(plan.log, 1);
  ::dup2(plan.log, 2);
  ::dup2(plan.lines, 3);
  ::syscall(SYS_close_range, 4U, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.directory == nullptr || ::chdir(plan.directory) == 0) {
    ::execve(plan.program, plan.argv, plan.environment);
  }
  const int failure = errno;
  [[maybe_unused]] const ssize_t written = ::write(plan.failure, &failure, sizeof failure);
  ::_exit(127);
}

// vfork: a fork would copy the page tables of a large server for each step. Signals are held back
// meanwhile, because a handler in the child would run on the parent's memory.
[[gnu::noinline]] pid_t start_child(const Plan& plan) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::vfork();  // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (pid == 0) become(plan);   // NOLINT(clang-analyzer-unix.Vfork)
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

// 0 when the child has become its program.
int await_exec(const Descriptor& failure) {
  int number = 0;
  for (;;) {
    const ssize_t got = ::read(failure.get(), &number, sizeof number);
    if (got < 0 && errno == EINTR) continue;
    return got == sizeof number ? number : 0;
  }
}

}  // namespace

Result<Child> spawn(const JobSpec& spec) {
  TRY(const std::string program, find_program(spec.argv.empty() ? "" : spec.argv.front()));
  TRY(Descriptor input, move_up(Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
  TRY(Pipe log, make_pipe());
  TRY(Pipe lines, make_pipe());
  TRY(Pipe failure, make_pipe());
  std::vector<std::string> arguments = spec.argv;
  std::vector<std::string> variables = merged_environment(spec);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> environment = pointers(variables);
  const Plan plan{
      .program = program.c_str(),
      .argv = argv.data(),
      .environment = environment.data(),
      .directory = spec.working_directory.empty() ? nullptr : spec.working_directory.c_str(),
      .input = input.get(),
      .log = log.write.get(),
      .lines = lines.write.get(),
      .failure = failure.write.get(),
      .parent = ::getpid()};

  Child child;
  child.pid = start_child(plan);
  if (child.pid < 0) {
    return resource_exhausted("cannot start a process: " + std::string(std::strerror(errno)));
  }
  log.write.reset();
  lines.write.reset();
  failure.write.reset();
  if (const int number = await_exec(failure.read); number != 0) {
    ::waitpid(child.pid, nullptr, 0);
    return file_error("start", program, number);
  }
  child.process = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.process.is_open()) {
    const int number = errno;
    ::kill(-child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return internal("cannot watch a process: " + std::string(std::strerror(number)));
  }
  child.log = std::move(log.read);
  child.lines = std::move(lines.read);
  never_block(child.log);
  never_block(child.lines);
  return child;
}

}  // namespace ciclo::compute
