// SPDX-License-Identifier: Apache-2.0
#include "steps/job.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <utility>

#include "base/file.h"
#include "base/json_fields.h"

namespace ciclo::steps {
namespace {

constexpr int kReportDescriptor = 3;

struct SpecFile {
  std::string kind;
  json::Value parameters;
  std::map<std::string, std::string> inputs;
  std::map<std::string, std::string> outputs;
  std::string work;
  json::Value context;
  template <class V>
  void fields(V& v) {
    v("kind", kind);
    v.or_default("parameters", parameters);
    v.or_default("inputs", inputs);
    v.or_default("outputs", outputs);
    v("work", work);
    v.or_default("context", context);
  }
};

}  // namespace

Result<Job> Job::open(const std::filesystem::path& spec_file) {
  TRY(const std::string text, read_file(spec_file));
  TRY(SpecFile spec, json::read<SpecFile>(text));
  Job job;
  job.kind_ = std::move(spec.kind);
  job.parameters_ = std::move(spec.parameters);
  job.environment_ = std::move(spec.context);
  for (auto& [port, directory] : spec.inputs) job.inputs_[port] = directory;
  for (auto& [port, directory] : spec.outputs) job.outputs_[port] = directory;
  job.work_ = spec.work;
  job.context_.workspace = job.environment_.string_or("workspace", "default");
  job.context_.caller = "step";
  job.context_.request_id = job.environment_.string_or("execution_id", "");
  job.clock_ = std::make_shared<SystemClock>();
  data::EngineOptions options;
  options.memory_bytes_max = std::size_t{4} << 30;
  options.spill_directory = (job.work_ / "spill").string();
  job.engine_ = std::make_shared<data::Engine>(*job.clock_, options);
  return job;
}

const std::filesystem::path& Job::input(std::string_view port) const {
  const auto found = inputs_.find(port);
  CHECK(found != inputs_.end());
  return found->second;
}

const std::filesystem::path& Job::output(std::string_view port) const {
  const auto found = outputs_.find(port);
  CHECK(found != outputs_.end());
  return found->second;
}

void Job::say(const json::Value& message) const {
  std::string line = json::dump(message, json::NonFinite::kString);
  line.push_back('\n');
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(kReportDescriptor, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    // Nobody listens: a step that was started by hand.
    if (written < 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Job::progress(double done, double total, std::string_view message) const {
  say(json::Value::object(
      {{"kind", "progress"}, {"done", done}, {"total", total}, {"message", message}}));
}

void Job::metric(std::string_view key, double value, std::int64_t step) const {
  say(json::Value::object({{"kind", "metric"},
                           {"key", key},
                           {"value", value},
                           {"step", step},
                           {"timestamp", clock_->now_ms()}}));
}

void Job::param(std::string_view key, std::string_view value) const {
  say(json::Value::object({{"kind", "param"}, {"key", key}, {"value", value}}));
}

void Job::tag(std::string_view key, std::string_view value) const {
  say(json::Value::object({{"kind", "tag"}, {"key", key}, {"value", value}}));
}

void Job::property(std::string_view port, std::string_view key, const json::Value& value) const {
  say(json::Value::object({{"kind", "property"}, {"port", port}, {"key", key}, {"value", value}}));
}

void Job::error(const Error& error) const {
  say(json::Value::object(
      {{"kind", "error"}, {"code", code_name(error.code)}, {"message", error.message}}));
}

namespace {

struct Step {
  std::string_view kind;
  Result<void> (*run)(Job&);
};

constexpr std::array<Step, 10> kSteps = {{{"ingest", ingest},
                                          {"validate", validate},
                                          {"assemble", assemble},
                                          {"collect", collect},
                                          {"split", split},
                                          {"tune", tune},
                                          {"train", train},
                                          {"window", window},
                                          {"evaluate", evaluate},
                                          {"gate", gate}}};

Result<void> dispatch(Job& job) {
  for (const Step& step : kSteps) {
    if (step.kind == job.kind()) return step.run(job);
  }
  return invalid_argument("this program knows no step of kind \"" + job.kind() + "\"");
}

Result<void> guarded(Job& job) {
  try {
    return dispatch(job);
  } catch (const std::bad_alloc&) {
    return resource_exhausted("step " + job.kind() + " ran out of memory");
  } catch (const std::exception& failure) {
    return internal("step " + job.kind() + " failed: " + failure.what());
  }
}

}  // namespace

Result<void> run_job(const std::filesystem::path& spec_file) {
  // Without a listener on descriptor 3 the first file that is opened would take its place.
  if (::fcntl(kReportDescriptor, F_GETFD) < 0) {
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null != kReportDescriptor) ::dup2(null, kReportDescriptor);
  }
  TRY(Job job, Job::open(spec_file));
  Result<void> done = guarded(job);
  if (!done.ok()) job.error(done.error());
  return done;
}

}  // namespace ciclo::steps
