// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "data/engine.h"

// The inside of a step's process: what `ciclo step --spec FILE` was asked to do, the directories
// that it reads and fills, and the way back to the platform, lines of JSON on file descriptor 3. A
// step touches neither the database nor the network; what it leaves in its output directories
// becomes artifacts when it ends well.

namespace ciclo::steps {

class Job {
 public:
  // Reads the file that the pipeline wrote.
  static Result<Job> open(const std::filesystem::path& spec_file);

  const std::string& kind() const { return kind_; }
  const json::Value& parameters() const { return parameters_; }
  const json::Value& environment() const { return environment_; }  // the spec's `context`
  bool has_input(std::string_view port) const { return inputs_.contains(port); }
  // The directory of an input; asking for one that the step does not have is a bug.
  const std::filesystem::path& input(std::string_view port) const;
  const std::filesystem::path& output(std::string_view port) const;
  const std::filesystem::path& work() const { return work_; }
  const Context& context() const { return context_; }

  // The table engine of this process.
  const data::Engine& engine() const { return *engine_; }

  void progress(double done, double total, std::string_view message) const;
  void metric(std::string_view key, double value, std::int64_t step) const;
  void param(std::string_view key, std::string_view value) const;
  void tag(std::string_view key, std::string_view value) const;
  void property(std::string_view port, std::string_view key, const json::Value& value) const;
  void error(const Error& error) const;

 private:
  Job() = default;
  void say(const json::Value& message) const;

  std::string kind_;
  json::Value parameters_;
  json::Value environment_;
  std::map<std::string, std::filesystem::path, std::less<>> inputs_;
  std::map<std::string, std::filesystem::path, std::less<>> outputs_;
  std::filesystem::path work_;
  Context context_;
  std::shared_ptr<SystemClock> clock_;
  std::shared_ptr<data::Engine> engine_;
};

// Runs the step that the file describes, in this process. The error, if any, has been reported on
// descriptor 3 too.
Result<void> run_job(const std::filesystem::path& spec_file);

// The steps, by kind.
Result<void> ingest(Job& job);
Result<void> validate(Job& job);
Result<void> assemble(Job& job);
Result<void> collect(Job& job);
Result<void> split(Job& job);
Result<void> tune(Job& job);
Result<void> train(Job& job);
Result<void> window(Job& job);
Result<void> evaluate(Job& job);
Result<void> gate(Job& job);

}  // namespace ciclo::steps
