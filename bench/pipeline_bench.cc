// SPDX-License-Identifier: Apache-2.0
//
// What the pipeline engine costs per step: a chain of steps that do nothing (/bin/true), durable,
// one after the other, beside the bare posix_spawn and wait of the same program in the same
// process, and beside the fsync of a small write, of which the engine needs at least one per step.
// Then the same pipeline again, which is cached as a whole. The limit of the design: 5 ms per step
// over the bare process.
//
//   pipeline_bench [DIRECTORY]     on the file system of DIRECTORY (default: the working directory)

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "pipeline/test_system.h"

extern char** environ;

namespace ciclo {
namespace {

constexpr int kSteps = 20;
constexpr int kRepetitions = 15;

class TrueCatalog final : public pipeline::StepCatalog {
 public:
  TrueCatalog() { kind_.name = "true"; }
  const pipeline::StepKind* find(std::string_view) const override { return &kind_; }
  std::vector<std::string> kinds() const override { return {kind_.name}; }
  Result<std::vector<pipeline::FingerprintPart>> fingerprint(
      const Context&, const pipeline::StepSpec&,
      const std::vector<pipeline::ResolvedInput>&) override {
    return std::vector<pipeline::FingerprintPart>();
  }
  Result<pipeline::StepCommand> command(const Context&, const pipeline::StepRun&) override {
    return pipeline::StepCommand{.argv = {"/bin/true"}};
  }
  Result<pipeline::ServiceResult> run_service(const Context&, const pipeline::StepRun&) override {
    return internal("not a service");
  }
  Result<void> committed(sql::Txn&, const pipeline::StepRun&,
                         const std::vector<pipeline::Output>&) override {
    return {};
  }

 private:
  pipeline::StepKind kind_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double elapsed_ms(Clock& clock, const std::function<void()>& work) {
  const std::int64_t start = clock.monotonic_ns();
  work();
  return static_cast<double>(clock.monotonic_ns() - start) / 1e6;
}

void spawn_chain() {
  for (int i = 0; i < kSteps; ++i) {
    std::string program = "/bin/true";
    char* argv[] = {program.data(), nullptr};
    pid_t pid = 0;
    CHECK(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environ) == 0);
    ::waitpid(pid, nullptr, 0);
  }
}

void fsync_chain(const std::filesystem::path& folder) {
  const int file =
      ::open((folder / "fsync").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  CHECK(file >= 0);
  const std::string block(8192, 'x');
  for (int i = 0; i < kSteps; ++i) {
    CHECK(::write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size()));
    CHECK(::fdatasync(file) == 0);
  }
  ::close(file);
}

pipeline::PipelineSpec chain(int salt) {
  pipeline::PipelineSpec spec{.name = "chain"};
  for (int i = 0; i < kSteps; ++i) {
    pipeline::StepSpec step{.name = "step-" + std::to_string(i), .kind = "true"};
    // Each step of each chain is its own; equal ones would be answered from the cache.
    step.parameters["salt"] = salt * kSteps + i;
    if (i > 0) step.after.push_back("step-" + std::to_string(i - 1));
    spec.steps.push_back(std::move(step));
  }
  return spec;
}

int run(const std::filesystem::path& parent) {
  log::configure(log::Level::kWarn, log::Format::kText);
  const TemporaryDirectory folder(parent);
  pipeline::BasicTestSystem<TrueCatalog> platform(folder.path());
  std::vector<double> bare;
  std::vector<double> fsync;
  std::vector<double> engine;
  std::vector<double> cached;
  for (int i = 0; i < kRepetitions; ++i) {
    bare.push_back(elapsed_ms(platform.clock, spawn_chain));
    fsync.push_back(elapsed_ms(platform.clock, [&] { fsync_chain(folder.path()); }));
    const auto run_chain = [&] {
      CHECK(platform.run(chain(i)).state == pipeline::State::kSucceeded);
    };
    engine.push_back(elapsed_ms(platform.clock, run_chain));
    cached.push_back(elapsed_ms(platform.clock, run_chain));
  }
  const double per_step = median(engine) / kSteps;
  const double bare_per_step = median(bare) / kSteps;
  std::puts(
      json::dump_pretty(json::Value::object({{"steps", kSteps},
                                             {"repetitions", kRepetitions},
                                             {"bare_ms_per_step", bare_per_step},
                                             {"fsync_ms", median(fsync) / kSteps},
                                             {"engine_ms_per_step", per_step},
                                             {"over_bare_ms_per_step", per_step - bare_per_step},
                                             {"ratio", per_step / bare_per_step},
                                             {"limit_ms_per_step", 5},
                                             {"cached_run_ms", median(cached)}}))
          .c_str());
  return 0;
}

}  // namespace
}  // namespace ciclo

int main(int argc, char** argv) {
  return ciclo::run(argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::current_path());
}
