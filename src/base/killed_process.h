// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// For tests: a child process that works until it is killed, and what it said it had done before.

namespace ciclo {

// Runs `work(tell)` in a child process; each `tell` says one line to this process. After
// `lines_min` lines the child is killed (SIGKILL), in the middle of whatever it does then. All
// lines it said, also those between the decision and the death.
inline std::vector<std::string> kill_in_the_middle(
    std::size_t lines_min,
    const std::function<void(const std::function<void(std::string_view)>&)>& work) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    work([&](std::string_view line) {
      const std::string text = std::string(line) + "\n";
      // One call writes a short line whole (PIPE_BUF).
      if (::write(ends[1], text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        ::_exit(2);
    });
    ::_exit(1);
  }
  ::close(ends[1]);
  std::vector<std::string> lines(1);
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  bool is_killed = false;
  while ((got = ::read(ends[0], buffer.data(), buffer.size())) > 0) {
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (c == '\n') {
        lines.emplace_back();
      } else {
        lines.back().push_back(c);
      }
    }
    if (!is_killed && lines.size() > lines_min) is_killed = ::kill(child, SIGKILL) == 0;
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with status " << status;
  lines.pop_back();
  return lines;
}

}  // namespace ciclo
