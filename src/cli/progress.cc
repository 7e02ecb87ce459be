// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/table.h"

namespace ciclo::cli {
namespace {

constexpr int kBarWidth = 20;

std::string bar(double share) {
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * kBarWidth);
  std::string text;
  for (int i = 0; i < kBarWidth; ++i) text += i < filled ? "█" : "░";
  return text;
}

std::string sign(const std::string& state) {
  if (state == "succeeded") return "✓";
  if (state == "cached") return "≡";
  if (state == "running") return "▸";
  if (state == "failed") return "✗";
  if (state == "pending") return "·";
  return "–";
}

std::int64_t elapsed_ms(const json::Value& step, std::int64_t now_ms) {
  const std::int64_t started = step.integer_or("started_ms", 0);
  if (started == 0) return 0;
  return std::max<std::int64_t>(0, step.integer_or("ended_ms", now_ms) - started);
}

std::string remark(const json::Value& step) {
  const std::string state = step.string_or("state", "");
  if (state == "failed") return step.string_or("error", "");
  const json::Value* progress = step.find("progress");
  if (state == "running" && progress != nullptr && progress->is_object()) {
    const double total = progress->number_or("total", 0);
    const std::string message = progress->string_or("message", "");
    return total > 0 ? bar(progress->number_or("done", 0) / total) + " " + message : message;
  }
  return step.string_or("why", "");
}

std::string line_of(const json::Value& step, std::int64_t now_ms, std::size_t name_width) {
  const std::string name = step.string_or("name", "");
  const std::string state = step.string_or("state", "");
  std::string line =
      "  " + sign(state) + " " + name + std::string(name_width - name.size() + 2, ' ');
  const std::string time = state == "pending" || state == "skipped" || state == "cached"
                               ? state
                               : duration_text(elapsed_ms(step, now_ms));
  line += time + std::string(time.size() < 11 ? 11 - time.size() : 1, ' ');
  std::string text = remark(step);
  // The first line is enough while it runs.
  text = text.substr(0, text.find('\n'));
  return line + text;
}

std::size_t widest_name(const json::Value& steps) {
  std::size_t width = 0;
  for (const auto& step : steps.items()) width = std::max(width, step.string_or("name", "").size());
  return width;
}

}  // namespace

RunProgress::RunProgress(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) != 0) {}

void RunProgress::update(const json::Value& run, std::int64_t now_ms) {
  const json::Value* steps = run.find("steps");
  if (quiet_ || steps == nullptr || !steps->is_array()) return;
  if (terminal_) {
    draw(run, now_ms);
  } else {
    print_changes(run);
  }
}

void RunProgress::draw(const json::Value& run, std::int64_t now_ms) {
  const json::Value& steps = *run.find("steps");
  const std::size_t width = widest_name(steps);
  std::string text;
  if (lines_ > 0) text += "\x1b[" + std::to_string(lines_) + "A";
  for (const auto& step : steps.items()) text += "\x1b[2K" + line_of(step, now_ms, width) + "\n";
  lines_ = steps.items().size();
  std::fwrite(text.data(), 1, text.size(), stderr);
}

void RunProgress::print_changes(const json::Value& run) {
  const json::Value& steps = *run.find("steps");
  const std::size_t width = widest_name(steps);
  for (const auto& step : steps.items()) {
    const std::string name = step.string_or("name", "");
    const std::string state = step.string_or("state", "");
    if (state == "pending" || state == "running" || states_[name] == state) continue;
    states_[name] = state;
    const std::string line = line_of(step, step.integer_or("started_ms", 0), width) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
}

void RunProgress::finish() { lines_ = 0; }

}  // namespace ciclo::cli
