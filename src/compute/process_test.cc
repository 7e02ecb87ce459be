// SPDX-License-Identifier: Apache-2.0
#include "compute/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace ciclo::compute {
namespace {

class Process : public testing::Test {
 protected:
  JobSpec shell(const std::string& script) {
    JobSpec spec;
    spec.name = "job-" + std::to_string(::getpid()) + "-" + std::to_string(++jobs_);
    spec.argv = {"/bin/sh", "-c", script};
    spec.log_file = log_file();
    spec.working_directory = directory_.path();
    spec.grace_ms = 50;
    return spec;
  }

  JobEnd run(JobSpec spec) {
    lines_.clear();
    return launcher_
        ->start(std::move(spec), [this](std::string_view line) { lines_.emplace_back(line); })
        ->wait();
  }

  std::string log_file() const { return directory_.path() / "log"; }
  std::string log() const { return read_file(log_file()).value(); }

  // The number that a script wrote with `echo $! > FILE`, when the process is still there.
  bool is_alive(const std::string& file) const {
    const auto pid = parse_int(trim(read_file(directory_.path() / file).value()));
    if (::kill(static_cast<pid_t>(pid.value()), 0) != 0) return false;
    // A dead process that nobody waited for still has a number.
    const auto status = read_file("/proc/" + std::to_string(*pid) + "/stat");
    return status.ok() && status->find(") Z ") == std::string::npos;
  }

  // Whether it was killed: by itself it would live for 1,000 seconds. One that was dies when it
  // gets its turn on the processor.
  bool dies(const std::string& file) const {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (is_alive(file)) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::yield();
    }
    return true;
  }

  SystemClock clock_;
  TemporaryDirectory directory_;
  std::unique_ptr<Launcher> launcher_ = process_launcher(clock_);
  std::vector<std::string> lines_;
  int jobs_ = 0;
};

TEST_F(Process, keeps_output_and_error_in_the_log_and_forwards_lines) {
  const JobEnd end = run(shell("echo out; echo err >&2; echo one >&3; printf two >&3"));
  EXPECT_TRUE(end.succeeded());
  EXPECT_EQ(log(), "out\nerr\n");
  EXPECT_EQ(lines_, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(end.log_bytes, 8U);
  EXPECT_GT(end.usage.rss_bytes_max, 0);
}

TEST_F(Process, tells_status_and_signal) {
  const JobEnd failed = run(shell("exit 3"));
  EXPECT_EQ(failed.reason, EndReason::kExited);
  EXPECT_EQ(failed.describe(), "exited with status 3");
  const JobEnd signalled = run(shell("kill -SEGV $$"));
  EXPECT_EQ(signalled.reason, EndReason::kSignalled);
  EXPECT_EQ(signalled.describe(), "was ended by signal 11 (Segmentation fault)");
}

TEST_F(Process, tells_why_a_program_cannot_be_started) {
  JobSpec spec = shell("");
  spec.argv = {"/no/such/program"};
  EXPECT_EQ(run(spec).describe(), "cannot start /no/such/program: No such file or directory");
  spec.argv = {"no-such-program-anywhere"};
  EXPECT_EQ(run(spec).describe(), "program \"no-such-program-anywhere\" is not in PATH");
  spec.argv = {directory_.path()};
  EXPECT_EQ(run(spec).reason, EndReason::kNotStarted);
}

TEST_F(Process, gives_environment_and_directory_and_nothing_to_read) {
  JobSpec spec = shell("cat; echo $COLOUR; pwd; echo $CICLO_JOB");
  spec.environment = {{"COLOUR", "green"}};
  EXPECT_TRUE(run(spec).succeeded());
  EXPECT_EQ(log(), "green\n" + directory_.path().string() + "\n" + spec.name + "\n");
}

TEST_F(Process, passes_on_no_other_descriptor_and_no_signal_setting) {
  ::signal(SIGPIPE, SIG_IGN);
  run(shell("ls /proc/self/fd | wc -l; grep -E 'SigIgn|SigBlk' /proc/self/status"));
  ::signal(SIGPIPE, SIG_DFL);
  // 0 to 3, and the one with which ls reads the directory.
  EXPECT_EQ(log(), "5\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(Process, bounds_the_log_and_keeps_its_end) {
  JobSpec spec = shell("yes flood | head -c 3000000; echo the end");
  spec.log_bytes_max = 1'000;
  const JobEnd end = run(spec);
  EXPECT_TRUE(end.succeeded());
  const std::string text = log();
  EXPECT_EQ(text.size(), end.log_bytes);
  EXPECT_LT(text.size(), 1'000 + 2 * kLogTailBytes + 100);
  EXPECT_TRUE(text.starts_with("flood\n"));
  EXPECT_TRUE(text.ends_with("the end\n"));
  EXPECT_NE(text.find("[" + std::to_string(end.log_bytes_dropped) + " bytes left out here]"),
            std::string::npos);
}

TEST_F(Process, drops_a_line_that_is_too_long_and_goes_on) {
  const JobEnd end = run(shell("head -c 1500000 /dev/zero >&3; echo >&3; echo next >&3"));
  EXPECT_EQ(end.lines_dropped, 1U);
  EXPECT_EQ(lines_, std::vector<std::string>{"next"});
}

// Stands still until the test lets its time run on, from a minute later.
class HeldClock final : public Clock {
 public:
  std::int64_t now_ms() override { return system_.now_ms(); }
  std::int64_t monotonic_ns() override {
    return is_held_ ? held_ns_ : system_.monotonic_ns() + 60'000'000'000;
  }
  void release() { is_held_ = false; }

 private:
  SystemClock system_;
  const std::int64_t held_ns_ = system_.monotonic_ns();
  std::atomic<bool> is_held_{true};
};

TEST_F(Process, time_out_ends_a_job_that_ignores_the_polite_signal) {
  JobSpec spec = shell("trap '' TERM; echo started; echo ready >&3; while :; do sleep 0.05; done");
  spec.timeout_ms = 60'000;
  HeldClock clock;
  const JobEnd end =
      process_launcher(clock)->start(spec, [&](std::string_view) { clock.release(); })->wait();
  EXPECT_EQ(end.reason, EndReason::kTimedOut);
  EXPECT_EQ(log(), "started\n");
}

TEST_F(Process, cancel_comes_from_any_thread_and_lets_a_job_end_politely) {
  std::jthread canceller;
  Job* job = nullptr;
  JobSpec spec =
      shell("trap 'echo bye; exit 4' TERM; echo ready >&3; while :; do sleep 0.01; done");
  spec.grace_ms = 60'000;
  const auto started = launcher_->start(
      spec, [&](std::string_view) { canceller = std::jthread([&] { job->cancel(); }); });
  job = started.get();
  const JobEnd end = job->wait();
  canceller.join();
  EXPECT_EQ(end.reason, EndReason::kCancelled);
  EXPECT_TRUE(log().ends_with("bye\n"));  // after what the shell says about its own children
}

TEST_F(Process, kills_what_a_job_leaves_behind) {
  const JobEnd end = run(shell("sleep 1000 & echo $! > grandchild"));
  EXPECT_TRUE(end.succeeded());
  EXPECT_TRUE(dies("grandchild"));
}

// Writes its number and lives on. It stays the shell that it is: a process is told by its
// environment, which the kernel shows to nobody while another program is being loaded.
constexpr const char* kStays = "sh -c 'echo $$ > far; while :; do sleep 1; done'";

TEST_F(Process, finds_descendants_that_left_the_group) {
  const JobEnd end = run(shell("setsid " + std::string(kStays) +
                               " & "
                               "while [ ! -s far ]; do sleep 0.01; done"));
  EXPECT_TRUE(end.succeeded());
  EXPECT_TRUE(dies("far"));
}

TEST_F(Process, cancel_reaches_the_whole_tree) {
  JobSpec spec = shell("trap '' TERM; (trap '' TERM; setsid " + std::string(kStays) +
                       " & sleep 1000) & echo $! > near; "
                       "while [ ! -s far ]; do sleep 0.01; done; echo ready >&3; sleep 1000");
  Job* job = nullptr;
  const auto started = launcher_->start(spec, [&](std::string_view) { job->cancel(); });
  job = started.get();
  EXPECT_EQ(job->wait().reason, EndReason::kCancelled);
  EXPECT_TRUE(dies("near"));
  EXPECT_TRUE(dies("far"));
}

TEST_F(Process, destroying_the_handle_kills_the_job) {
  {
    const auto job = launcher_->start(shell("echo $$ > self; echo ready >&3; sleep 1000"), {});
    while (!std::filesystem::exists(directory_.path() / "self") ||
           std::filesystem::file_size(directory_.path() / "self") == 0) {
      job->wait_for(5);
    }
    EXPECT_FALSE(job->poll().has_value());
  }
  EXPECT_TRUE(dies("self"));
}

// A process of ours starts a job with a descendant and is killed; its successor cleans up.
TEST_F(Process, ends_what_a_killed_process_left_running) {
  const JobSpec spec = shell(std::string(kStays) +
                             " & while [ ! -s far ]; do sleep 0.01; done; "
                             "echo $$ > child; kill -9 $PPID; sleep 1000");
  const pid_t predecessor = ::fork();
  if (predecessor == 0) {
    launcher_->start(spec, {})->wait();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(predecessor, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(launcher_->end_leftovers(std::vector<std::string>{spec.name}).ok());
  EXPECT_TRUE(dies("child"));
  EXPECT_TRUE(dies("far"));
}

TEST_F(Process, runs_jobs_side_by_side) {
  std::vector<std::jthread> threads;
  std::atomic<int> succeeded = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      JobSpec spec;
      spec.name = "side-" + std::to_string(::getpid()) + "-" + std::to_string(i);
      spec.argv = {"sh", "-c", "echo " + std::to_string(i) + " >&3"};
      std::string said;
      const JobEnd end =
          launcher_->start(spec, [&](std::string_view line) { said = line; })->wait();
      if (end.succeeded() && said == std::to_string(i)) ++succeeded;
    });
  }
  threads.clear();
  EXPECT_EQ(succeeded, 8);
}

}  // namespace
}  // namespace ciclo::compute
