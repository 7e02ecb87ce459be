// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "compute/launcher.h"
#include "pipeline/catalog.h"
#include "pipeline/observer.h"

// The language between the platform and the process of a step: the file that tells it what to do,
// the lines it says, and what its end means.

namespace ciclo::pipeline {

// Writes DIRECTORY/spec.json and returns the job that runs `command` with it.
Result<compute::JobSpec> process_job(const StepRun& run, const StepCommand& command,
                                     const std::filesystem::path& directory);

// Hears the lines of one process and passes them on. Used by one thread.
class Listener {
 public:
  static constexpr std::int64_t kFlushMs = 100;

  // `observer` may be nullptr.
  Listener(const StepRun& run, StepObserver* observer,
           std::function<void(const Progress&)> on_progress);

  void hear(std::string_view line);
  // Hands what was heard to the observer. To be called every kFlushMs and at the end.
  void flush();

  // Output port → properties it was given.
  const std::map<std::string, json::Value>& properties() const { return properties_; }
  // What the process said last about its failure.
  const std::optional<Error>& error() const { return error_; }

 private:
  const StepRun& run_;
  StepObserver* observer_;
  std::function<void(const Progress&)> on_progress_;
  std::vector<StepMessage> heard_;
  std::map<std::string, json::Value> properties_;
  std::optional<Error> error_;
  bool complained_ = false;
};

// What the end of a process means for its step. The error is what the process said, or else how it
// ended with the last line of its log.
Result<void> outcome(const compute::JobEnd& end, const std::optional<Error>& said,
                     const std::filesystem::path& log);

}  // namespace ciclo::pipeline
