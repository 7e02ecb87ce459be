// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "blob/store.h"
#include "compute/process.h"
#include "events/log.h"
#include "lineage/lineage.h"
#include "pipeline/pipeline.h"
#include "pipeline/step_runner.h"
#include "sql/database.h"

// For tests: the whole of pipelines over real processes in one directory.

namespace ciclo::pipeline {

// Kinds: "shell" runs its parameter `script` and has no output; "file" the same with the output
// "out", which is ../out/out seen from where the script runs; "effect" is a service whose effect
// fails as its parameter `error` says; "daily" always runs.
class ShellCatalog final : public StepCatalog {
 public:
  ShellCatalog() {
    add({.name = "shell"});
    add({.name = "daily", .cacheable = false});
    add({.name = "file", .outputs = {{"out", "file"}}, .commits = true});
    add({.name = "effect", .runs_as = RunsAs::kService, .outputs = {{"out", "report"}}});
  }

  const StepKind* find(std::string_view kind) const override {
    const auto found = kinds_.find(std::string(kind));
    return found == kinds_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> kinds() const override {
    std::vector<std::string> names;
    for (const auto& kind : kinds_) names.push_back(kind.first);
    return names;
  }
  Result<std::vector<FingerprintPart>> fingerprint(const Context&, const StepSpec&,
                                                   const std::vector<ResolvedInput>&) override {
    const std::scoped_lock lock(mutex_);
    return std::vector<FingerprintPart>{{"the program", version_}};
  }
  Result<Standing> standing(const Context&, const StepSpec&,
                            const std::vector<ResolvedInput>&) override {
    const std::scoped_lock lock(mutex_);
    return standing_;
  }
  Result<StepCommand> command(const Context&, const StepRun& run) override {
    StepCommand command;
    command.argv = {"/bin/sh", "-c", run.spec.parameters.string_or("script", "true"), "step"};
    command.context["run_id"] = "tracked";
    return command;
  }
  Result<ServiceResult> run_service(const Context&, const StepRun& run) override {
    wait_until_released();
    ServiceResult result;
    result.properties = {
        {"out",
         json::Value::object({{"approved", run.spec.parameters.boolean_or("approved", true)}})}};
    const std::string error = run.spec.parameters.string_or("error", "");
    result.effect = [error, step = run.spec.name](sql::Txn& txn) -> Result<void> {
      TRY(txn.execute("CREATE TABLE IF NOT EXISTS effects (step TEXT)"));
      TRY(txn.execute("INSERT INTO effects (step) VALUES ($1)", {std::string_view(step)}));
      if (!error.empty()) return failed_precondition(error);
      return {};
    };
    return result;
  }
  Result<void> committed(sql::Txn&, const StepRun& run, const std::vector<Output>&) override {
    const std::string refusal = run.spec.parameters.string_or("refusal", "");
    if (refusal.empty()) return {};
    return failed_precondition(refusal);
  }

  // Services wait in their middle until they are released.
  void hold_services() {
    const std::scoped_lock lock(mutex_);
    held_ = true;
  }
  void release_services() {
    const std::scoped_lock lock(mutex_);
    held_ = false;
    moved_.notify_all();
  }
  void wait_for_service() {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return services_begun_ > 0; });
  }
  bool service_has_ended() {
    const std::scoped_lock lock(mutex_);
    return services_begun_ > 0 && services_ended_ == services_begun_;
  }

  void set_standing(Standing standing) {
    const std::scoped_lock lock(mutex_);
    standing_ = std::move(standing);
  }
  void set_version(std::string version) {
    const std::scoped_lock lock(mutex_);
    version_ = std::move(version);
  }

 private:
  void add(StepKind kind) {
    for (int i = 0; i < 8; ++i) kind.inputs.push_back({"in" + std::to_string(i), false});
    const std::string name = kind.name;
    kinds_.emplace(name, std::move(kind));
  }
  void wait_until_released() {
    std::unique_lock lock(mutex_);
    ++services_begun_;
    moved_.notify_all();
    moved_.wait(lock, [&] { return !held_; });
    ++services_ended_;
  }

  std::map<std::string, StepKind> kinds_;
  std::mutex mutex_;
  std::condition_variable moved_;
  std::string version_ = "1";  // guarded by mutex_
  Standing standing_;          // guarded by mutex_
  bool held_ = false;          // guarded by mutex_
  int services_begun_ = 0;     // guarded by mutex_
  int services_ended_ = 0;     // guarded by mutex_
};

class RecordingObserver final : public StepObserver {
 public:
  void started(const StepRun& run) override { add("started " + run.spec.name); }
  void said(const StepRun&, std::span<const StepMessage> messages) override {
    for (const StepMessage& message : messages) add("said " + message.key + message.text);
  }
  void ended(const StepRun& run, State state, const std::optional<Error>&) override {
    add("ended " + run.spec.name + " " + std::string(state_name(state)));
  }
  void discarded(const Leftover& leftover) override { add("discarded " + leftover.kind); }
  std::vector<std::string> taken() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  void add(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_
};

inline std::unique_ptr<sql::Database> open_test_database(const std::string& url) {
  auto database = sql::open(url);
  if (!database.ok()) check_failed(database.error().message.c_str(), __FILE__, __LINE__);
  for (const auto& schema : {events::schema(), lineage::schema(), pipeline::schema()}) {
    const auto migrated = sql::migrate(**database, schema);
    if (!migrated.ok()) check_failed(migrated.error().message.c_str(), __FILE__, __LINE__);
  }
  return std::move(database).value();
}

inline std::unique_ptr<blob::Store> open_test_blobs(const std::filesystem::path& root) {
  auto store = blob::open_local(root / "blobs");
  CHECK(store.ok());
  return std::move(store).value();
}

// One process's worth of pipelines on the directory; another may follow on the same one.
template <class Catalog>
class BasicTestSystem {
 public:
  explicit BasicTestSystem(std::filesystem::path root_in)
      : BasicTestSystem(root_in, "sqlite:" + (root_in / "ciclo.db").string()) {}
  BasicTestSystem(std::filesystem::path root_in, const std::string& database_url)
      : root(std::move(root_in)),
        database(open_test_database(database_url)),
        blobs(open_test_blobs(root)),
        runner({*database, *blobs, lineage, *launcher, clock, catalog, &observer}, engine,
               {.work = root / "work", .grace_ms = 50}) {
    const auto opened = engine.open(runner);
    if (!opened.ok()) check_failed(opened.error().message.c_str(), __FILE__, __LINE__);
    engine.start_thread();
  }
  ~BasicTestSystem() { engine.stop_thread(); }

  PipelineRunView wait_for_end(const PipelineRunId& id) {
    std::uint64_t seen = 0;
    for (;;) {
      auto run = pipelines.get(context, id);
      if (!run.ok()) check_failed(run.error().message.c_str(), __FILE__, __LINE__);
      if (is_final(run->state)) return std::move(run).value();
      events.wait(seen, std::chrono::milliseconds(100));
    }
  }
  PipelineRunView run(const PipelineSpec& spec) {
    const auto id = pipelines.submit(context, spec);
    if (!id.ok()) check_failed(id.error().message.c_str(), __FILE__, __LINE__);
    return wait_for_end(*id);
  }
  // What scripts wrote with >> $ROOT/NAME.
  std::string file(const std::string& name) const {
    const auto text = read_file(root / name);
    return text.ok() ? *text : std::string();
  }

  const std::filesystem::path root;
  Context context;
  SystemClock clock;
  SystemRandom random;
  IdSource ids{clock, random};
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<blob::Store> blobs;
  events::Log events{*database, clock};
  lineage::Lineage lineage{*database, *blobs, clock, ids};
  std::unique_ptr<compute::Launcher> launcher = compute::process_launcher(clock);
  Catalog catalog;
  RecordingObserver observer;
  Engine engine{*database, events, clock, random, ids, {}};
  StepRunner runner;
  Pipelines pipelines{
      *database, events, *blobs, lineage, catalog, engine, clock, ids, (root / "work").string()};
};

using TestSystem = BasicTestSystem<ShellCatalog>;

inline StepSpec shell_step(std::string name, std::string script,
                           std::vector<std::string> after = {}) {
  StepSpec step;
  step.name = std::move(name);
  step.kind = "shell";
  step.parameters["script"] = std::move(script);
  step.after = std::move(after);
  return step;
}

}  // namespace ciclo::pipeline
