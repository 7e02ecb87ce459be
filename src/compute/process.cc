// SPDX-License-Identifier: Apache-2.0
#include "compute/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/log.h"
#include "compute/descriptor.h"
#include "compute/job_log.h"
#include "compute/process_tree.h"
#include "compute/spawn.h"

namespace ciclo::compute {
namespace {

// How long a killed group may take to close its pipes before we look for processes that left it.
constexpr std::int64_t kDrainMs = 100;
// What a pipe holds by then is read all the same, by so many reads at most.
constexpr int kLateReadsMax = 64;

// Cuts a stream into lines.
class Lines {
 public:
  explicit Lines(OnLine on_line) : on_line_(std::move(on_line)) {}

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t newline = bytes.find('\n');
      take(bytes.substr(0, newline));
      if (newline == std::string_view::npos) return;
      finish();
      bytes.remove_prefix(newline + 1);
    }
  }

  // Hands over what has come of the current line.
  void finish() {
    if (too_long_) {
      ++dropped_;
    } else if (!line_.empty() && on_line_) {
      on_line_(line_);
    }
    line_.clear();
    too_long_ = false;
  }

  std::uint64_t dropped() const { return dropped_; }

 private:
  void take(std::string_view part) {
    too_long_ = too_long_ || line_.size() + part.size() > kLineBytesMax;
    if (!too_long_) line_ += part;
  }

  OnLine on_line_;
  std::string line_;
  bool too_long_ = false;
  std::uint64_t dropped_ = 0;
};

class EndedJob final : public Job {
 public:
  explicit EndedJob(JobEnd end) : end_(std::move(end)) {}
  std::optional<JobEnd> wait_for(std::int64_t) override { return end_; }
  void cancel() override {}

 private:
  const JobEnd end_;
};

class ProcessJob final : public Job {
 public:
  ProcessJob(JobSpec spec, Child child, JobLog log, Descriptor wake, OnLine on_line, Clock& clock)
      : spec_(std::move(spec)),
        child_(std::move(child)),
        log_(std::move(log)),
        wake_(std::move(wake)),
        lines_(std::move(on_line)),
        clock_(clock),
        start_ns_(clock.monotonic_ns()) {}

  ~ProcessJob() override {
    if (end_) return;
    kill_group(SIGKILL);
    kill_by_name();
    ::waitpid(child_.pid, nullptr, 0);
  }

  std::optional<JobEnd> wait_for(std::int64_t milliseconds) override {
    const std::int64_t until = elapsed_ms() + milliseconds;
    while (!end_) {
      const bool dead = pump(std::max<std::int64_t>(0, until - elapsed_ms()));
      if (dead) {
        conclude();
      } else {
        apply_deadlines();
        if (elapsed_ms() >= until) break;
      }
    }
    return end_;
  }

  void cancel() override {
    cancelled_.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

 private:
  std::int64_t elapsed_ms() { return (clock_.monotonic_ns() - start_ns_) / 1'000'000; }

  // Waits for something to happen, forwards what the pipes hold; true when the child is dead.
  bool pump(std::int64_t milliseconds) {
    std::array<pollfd, 4> all{pollfd{child_.process.get(), POLLIN, 0},
                              pollfd{child_.log.get(), POLLIN, 0},
                              pollfd{child_.lines.get(), POLLIN, 0},
                              pollfd{cancelled_.load() ? -1 : wake_.get(), POLLIN, 0}};
    ::poll(all.data(), all.size(), poll_ms(milliseconds));
    if (all[1].revents != 0) forward(child_.log, log_);
    if (all[2].revents != 0) forward(child_.lines, lines_);
    return all[0].revents != 0;
  }

  int poll_ms(std::int64_t milliseconds) {
    const std::int64_t now = elapsed_ms();
    if (next_deadline_ms() < now + milliseconds) {
      milliseconds = std::max<std::int64_t>(0, next_deadline_ms() - now);
    }
    return static_cast<int>(std::min<std::int64_t>(milliseconds, 3'600'000));
  }

  std::int64_t next_deadline_ms() const {
    if (kill_at_ms_) return *kill_at_ms_;
    if (!asked_ && spec_.timeout_ms > 0) return spec_.timeout_ms;
    return std::numeric_limits<std::int64_t>::max();
  }

  void apply_deadlines() {
    if (!asked_ && cancelled_.load()) ask_to_end(EndReason::kCancelled);
    if (!asked_ && spec_.timeout_ms > 0 && elapsed_ms() >= spec_.timeout_ms) {
      ask_to_end(EndReason::kTimedOut);
    }
    if (kill_at_ms_ && elapsed_ms() >= *kill_at_ms_) {
      kill_at_ms_.reset();
      kill_group(SIGKILL);
    }
  }

  void ask_to_end(EndReason reason) {
    asked_ = reason;
    kill_at_ms_ = elapsed_ms() + spec_.grace_ms;
    kill_group(SIGTERM);
  }

  // One buffer at a time, so that a flood delays neither the other pipe nor a deadline. Closes the
  // pipe at its end.
  template <class Sink>
  void forward(Descriptor& pipe, Sink& sink) {
    const ssize_t got = ::read(pipe.get(), buffer_.data(), buffer_.size());
    if (got > 0) {
      sink.write(std::string_view(buffer_.data(), static_cast<std::size_t>(got)));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      pipe.reset();
    }
  }

  // The first process is dead but not yet waited for, so its number, and its group's, is still
  // ours.
  void conclude() {
    kill_group(SIGKILL);
    drain();
    if (asked_ || child_.log.is_open() || child_.lines.is_open()) {
      kill_by_name();
      drain();
    }
    log_.finish();
    lines_.finish();
    int status = 0;
    rusage usage{};
    while (::wait4(child_.pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    wait_for_group();
    end_ = describe_end(status, usage);
  }

  // SIGKILL was sent to the whole group, but a process dies a moment later. As long as one of them
  // is there, its number cannot be given to another group. Bounded: a process that hangs in the
  // kernel, or that nobody reaps, must not hold up the end of the job.
  void wait_for_group() const {
    constexpr int kTriesMax = 200;
    for (int i = 0; i < kTriesMax && ::kill(-child_.pid, 0) == 0; ++i) ::poll(nullptr, 0, 1);
  }

  // Reads until both pipes are closed by all who could write, or they are empty after kDrainMs.
  void drain() {
    const std::int64_t until = elapsed_ms() + kDrainMs;
    int late_reads = 0;
    while (child_.log.is_open() || child_.lines.is_open()) {
      std::array<pollfd, 2> all{pollfd{child_.log.get(), POLLIN, 0},
                                pollfd{child_.lines.get(), POLLIN, 0}};
      const std::int64_t left = std::max<std::int64_t>(until - elapsed_ms(), 0);
      if (left == 0 && ++late_reads > kLateReadsMax) return;
      if (::poll(all.data(), all.size(), static_cast<int>(left)) == 0) return;
      if (all[0].revents != 0) forward(child_.log, log_);
      if (all[1].revents != 0) forward(child_.lines, lines_);
    }
  }

  JobEnd describe_end(int status, const rusage& usage) {
    JobEnd end;
    if (WIFSIGNALED(status)) {
      end.reason = EndReason::kSignalled;
      end.signal = WTERMSIG(status);
    } else {
      end.exit_code = WEXITSTATUS(status);
    }
    // One that finished well although it was asked to end has finished well.
    if (asked_ && !end.succeeded()) end.reason = *asked_;
    const auto milliseconds = [](const timeval& time) {
      return std::int64_t{time.tv_sec} * 1'000 + time.tv_usec / 1'000;
    };
    end.usage = {.wall_ms = elapsed_ms(),
                 .user_cpu_ms = milliseconds(usage.ru_utime),
                 .system_cpu_ms = milliseconds(usage.ru_stime),
                 .rss_bytes_max = std::int64_t{usage.ru_maxrss} * 1'024};
    end.log_bytes = log_.bytes();
    end.log_bytes_dropped = log_.bytes_dropped();
    end.lines_dropped = lines_.dropped();
    return end;
  }

  void kill_group(int signal) { ::kill(-child_.pid, signal); }

  void kill_by_name() {
    if (const auto killed = kill_jobs_by_name({&spec_.name, 1}); !killed.ok()) {
      log::error("a job left processes behind",
                 {{"job", spec_.name}, {"error", killed.error().message}});
    }
  }

  const JobSpec spec_;
  Child child_;
  JobLog log_;
  const Descriptor wake_;
  Lines lines_;
  Clock& clock_;
  const std::int64_t start_ns_;
  std::atomic<bool> cancelled_ = false;
  std::optional<EndReason> asked_;          // why it was asked to end
  std::optional<std::int64_t> kill_at_ms_;  // elapsed
  std::optional<JobEnd> end_;
  std::array<char, 64 << 10> buffer_;
};

class ProcessLauncher final : public Launcher {
 public:
  explicit ProcessLauncher(Clock& clock) : clock_(clock) {}

  std::unique_ptr<Job> start(JobSpec spec, OnLine on_line) override {
    auto job = try_start(std::move(spec), std::move(on_line));
    if (job.ok()) return std::move(job).value();
    JobEnd end;
    end.reason = EndReason::kNotStarted;
    end.error = job.error().message;
    return std::make_unique<EndedJob>(std::move(end));
  }

  Result<void> end_leftovers(std::span<const std::string> names) override {
    return kill_jobs_by_name(names);
  }

 private:
  Result<std::unique_ptr<Job>> try_start(JobSpec spec, OnLine on_line) {
    if (spec.name.empty()) return invalid_argument("a job needs a name");
    Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.is_open()) return resource_exhausted("too many open files to start a process");
    TRY(JobLog log, JobLog::open(spec.log_file, spec.log_bytes_max));
    TRY(Child child, spawn(spec));
    return std::make_unique<ProcessJob>(std::move(spec), std::move(child), std::move(log),
                                        std::move(wake), std::move(on_line), clock_);
  }

  Clock& clock_;
};

}  // namespace

std::unique_ptr<Launcher> process_launcher(Clock& clock) {
  return std::make_unique<ProcessLauncher>(clock);
}

}  // namespace ciclo::compute
