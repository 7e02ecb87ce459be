// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// Where the jobs of pipeline steps run. A job is one program with its arguments; it writes what
// people read to standard output and error, which go to a log file, and what the platform reads as
// lines to file descriptor 3. Adapters: compute/process.h, children of this process.

namespace ciclo::compute {

struct JobSpec {
  // Unique among all jobs ever started; `end_leftovers` finds a job by it after a restart.
  std::string name;
  // The program, looked up in PATH when it holds no slash, and its arguments.
  std::vector<std::string> argv;
  // Added to the environment of this process, or replacing its values.
  std::vector<std::pair<std::string, std::string>> environment;
  // Empty: that of this process.
  std::string working_directory;
  // Made or emptied; receives standard output and standard error. Empty: both are discarded.
  std::string log_file;
  // Of a longer log these first bytes and the last kLogTailBytes are kept, with a line between that
  // tells how many are missing.
  std::uint64_t log_bytes_max = 16 << 20;
  // 0: none. A job that takes longer is ended as by cancel().
  std::int64_t timeout_ms = 0;
  // Between the polite end (SIGTERM) and the sure one (SIGKILL).
  std::int64_t grace_ms = 3'000;
};

struct Usage {
  std::int64_t wall_ms = 0;
  std::int64_t user_cpu_ms = 0;
  std::int64_t system_cpu_ms = 0;
  std::int64_t rss_bytes_max = 0;
};

enum class EndReason { kExited, kSignalled, kTimedOut, kCancelled, kNotStarted };

struct JobEnd {
  EndReason reason = EndReason::kExited;
  int exit_code = 0;  // when it exited
  int signal = 0;     // when a signal ended it
  std::string error;  // when it could not be started: what and why
  Usage usage;
  std::uint64_t log_bytes = 0;          // in the log file
  std::uint64_t log_bytes_dropped = 0;  // beyond the limit
  std::uint64_t lines_dropped = 0;      // lines of descriptor 3 that were longer than kLineBytesMax

  bool succeeded() const { return reason == EndReason::kExited && exit_code == 0; }
  // "exited with status 3", "was ended by signal 11 (Segmentation fault)", "ran longer than 2 s", …
  std::string describe() const;
};

inline constexpr std::size_t kLineBytesMax = 1 << 20;
inline constexpr std::size_t kLogTailBytes = 64 << 10;

// Receives a line of descriptor 3 without its newline, on the thread that waits for the job. A last
// line without a newline counts. While it runs the job may block when it writes more: a slow reader
// slows the job, nothing is lost.
using OnLine = std::function<void(std::string_view)>;

// A job that was started. One thread at a time waits; `cancel` may come from any. Somebody must
// wait, or the job blocks once its pipes are full. Destroying the handle of a running job kills the
// job.
class Job {
 public:
  virtual ~Job() = default;
  // Forwards log and lines until the job has ended or `milliseconds` have passed (nullopt). After
  // the end it returns the same again.
  virtual std::optional<JobEnd> wait_for(std::int64_t milliseconds) = 0;
  // Ends the job and all that it started: politely, then surely after the grace. Returns at once;
  // the end shows in wait. A job that has ended stays as it ended.
  virtual void cancel() = 0;

  JobEnd wait();
  std::optional<JobEnd> poll() { return wait_for(0); }
};

// Safe to share between threads.
class Launcher {
 public:
  virtual ~Launcher() = default;

  // Never fails: what could not be started has ended with kNotStarted. A job dies with this
  // process, and with the thread that started it, which therefore has to live until the end of the
  // job.
  virtual std::unique_ptr<Job> start(JobSpec spec, OnLine on_line) = 0;

  // Kills what an earlier process left running under these names (it was killed, and something that
  // the job had started outlived it). Returns when none is left.
  virtual Result<void> end_leftovers(std::span<const std::string> names) = 0;
};

}  // namespace ciclo::compute
