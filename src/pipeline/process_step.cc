// SPDX-License-Identifier: Apache-2.0
#include "pipeline/process_step.h"

#include <fstream>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace ciclo::pipeline {
namespace {

constexpr std::size_t kHeardMax = 512;
constexpr std::size_t kLastLineMax = 300;

json::Value directories(const std::vector<std::pair<std::string, std::string>>& ports) {
  json::Value out = json::Value::object();
  for (const auto& [port, directory] : ports) out[port] = directory;
  return out;
}

json::Value spec_document(const StepRun& run, const StepCommand& command) {
  json::Value inputs = json::Value::object();
  for (const InputArtifact& input : run.inputs) inputs[input.port] = input.directory;
  json::Value context = command.context;
  context["pipeline_run_id"] = run.pipeline_run_id.str();
  context["execution_id"] = run.execution_id.str();
  context["step"] = run.spec.name;
  context["attempt"] = run.attempt;
  return json::Value::object({{"kind", run.spec.kind},
                              {"parameters", run.spec.parameters},
                              {"inputs", std::move(inputs)},
                              {"outputs", directories(run.outputs)},
                              {"work", run.work},
                              {"context", std::move(context)}});
}

// Scratch: a crash of the machine puts the execution back anyway, so this needs no fsync.
Result<void> write_scratch(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return file_error("write", path, errno);
  return {};
}

std::optional<Code> parse_code(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    if (code_name(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  }
  return std::nullopt;
}

// The end of the log up to a screen's worth is enough to find its last line.
std::string last_line(const std::filesystem::path& log) {
  std::ifstream file(log, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const std::streamoff size = file.tellg();
  const std::streamoff part = std::min<std::streamoff>(size, 4096);
  std::string text(static_cast<std::size_t>(part), '\0');
  file.seekg(size - part);
  file.read(text.data(), part);
  std::string_view rest = trim(text);
  if (const auto newline = rest.rfind('\n'); newline != std::string_view::npos) {
    rest.remove_prefix(newline + 1);
  }
  std::string line(rest.substr(0, kLastLineMax));
  return is_utf8(line) ? line : std::string();
}

}  // namespace

Result<compute::JobSpec> process_job(const StepRun& run, const StepCommand& command,
                                     const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / "spec.json";
  TRY(write_scratch(file, json::dump_pretty(spec_document(run, command))));
  compute::JobSpec job;
  job.name = run.execution_id.str();
  job.argv = command.argv;
  job.argv.insert(job.argv.end(), {"--spec", file.string()});
  job.environment = command.environment;
  job.working_directory = run.work;
  job.log_file = directory / "log";
  job.timeout_ms = run.spec.timeout_ms;
  return job;
}

Listener::Listener(const StepRun& run, StepObserver* observer,
                   std::function<void(const Progress&)> on_progress)
    : run_(run), observer_(observer), on_progress_(std::move(on_progress)) {}

void Listener::hear(std::string_view line) {
  auto parsed = parse_step_message(line);
  if (!parsed.ok()) {
    if (!complained_) {
      log::warn("a step says what nobody understands", {{"step", run_.spec.name},
                                                        {"execution_id", run_.execution_id.str()},
                                                        {"error", parsed.error().message}});
    }
    complained_ = true;
    return;
  }
  const StepMessage& message = *parsed;
  if (message.kind == StepMessage::Kind::kProgress) on_progress_(message.progress);
  if (message.kind == StepMessage::Kind::kProperty) {
    properties_[message.port][message.key] = message.value;
  }
  if (message.kind == StepMessage::Kind::kError) {
    error_ = Error{parse_code(message.code).value_or(Code::kInternal), message.text};
  }
  if (observer_ == nullptr) return;
  heard_.push_back(std::move(parsed).value());
  if (heard_.size() >= kHeardMax) flush();
}

void Listener::flush() {
  if (heard_.empty()) return;
  observer_->said(run_, heard_);
  heard_.clear();
}

Result<void> outcome(const compute::JobEnd& end, const std::optional<Error>& said,
                     const std::filesystem::path& log) {
  using compute::EndReason;
  if (end.succeeded()) return {};
  if (end.reason == EndReason::kCancelled) return cancelled("the step was cancelled");
  if (end.reason == EndReason::kTimedOut) return deadline_exceeded("the step " + end.describe());
  if (end.reason == EndReason::kNotStarted) return unavailable(end.describe());
  if (said && !said->message.empty()) return *said;
  std::string text = "the step's process " + end.describe();
  if (const std::string line = last_line(log); !line.empty()) text += ": " + line;
  return internal(text);
}

}  // namespace ciclo::pipeline
