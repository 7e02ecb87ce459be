// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/file.h"
#include "base/id.h"
#include "base/random.h"
#include "blob/store.h"
#include "events/log.h"
#include "lineage/lineage.h"
#include "pipeline/catalog.h"
#include "pipeline/engine.h"
#include "pipeline/pipeline.h"
#include "pipeline/runner.h"
#include "sim/faulty_database.h"
#include "sql/database.h"

// Pipelines in simulated time: one thread, a clock that jumps to the next thing that happens, steps
// that are entries in a calendar, a database that fails, processes that die and zombies that live
// on. All chance comes from one seed. The world checks the promises of the engine while it turns;
// `violations` tells which were broken.

namespace ciclo::sim {

// What outlives the worlds of many seeds: opening a database takes longer than simulating one.
struct Disk {
  Disk();
  TemporaryDirectory directory;
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<blob::Store> blobs;
};

// One kind, with inputs in0 … in19 and the output "out".
class SimCatalog final : public pipeline::StepCatalog {
 public:
  SimCatalog();
  const pipeline::StepKind* find(std::string_view kind) const override;
  std::vector<std::string> kinds() const override { return {kind_.name}; }
  Result<std::vector<pipeline::FingerprintPart>> fingerprint(
      const Context& context, const pipeline::StepSpec& step,
      const std::vector<pipeline::ResolvedInput>& inputs) override;
  Result<pipeline::StepCommand> command(const Context& context,
                                        const pipeline::StepRun& run) override;
  Result<pipeline::ServiceResult> run_service(const Context& context,
                                              const pipeline::StepRun& run) override;
  Result<void> committed(sql::Txn& txn, const pipeline::StepRun& run,
                         const std::vector<pipeline::Output>& outputs) override;

 private:
  pipeline::StepKind kind_;
};

class World;

// One process: what it knows dies with it.
class Process final : public pipeline::Runner {
 public:
  Process(World& world, Faults faults, int parallel_max);

  void resolve(pipeline::StepOrder order) override;
  void start(pipeline::StepOrder order) override;
  void stop(const pipeline::ExecutionId& execution) override;
  Result<void> discard(const std::vector<pipeline::Leftover>& leftovers) override;

  // Delivers what is due, then lets the engine turn. The time of what comes next.
  std::int64_t act();
  bool is_dead() const { return database.is_dead(); }
  bool is_superseded() const { return superseded_; }

  FaultyDatabase database;
  events::Log events;
  pipeline::Engine engine;

 private:
  struct Due {
    std::int64_t time_ms = 0;
    std::function<void()> deliver;
    pipeline::ExecutionId execution;  // empty: an answer of the cache
  };
  void plan_end(const pipeline::StepOrder& order);
  std::int64_t next_ms(std::optional<std::int64_t> engine_ms) const;

  World& world_;
  const int parallel_max_;
  std::vector<Due> calendar_;
  std::set<pipeline::ExecutionId> running_;
  bool superseded_ = false;
};

class World {
 public:
  World(Disk& disk, std::uint64_t seed);

  // Runs to the end of all runs, or until it is clear that they do not come. Empty: all promises
  // were kept.
  std::vector<std::string> play();

  std::string summary() const;

 private:
  friend class Process;

  void submit_one();
  pipeline::PipelineSpec random_spec();
  void meddle();
  void replace_process();
  void act_on_zombie();
  bool all_ended();
  void check_start(const Process& process, const pipeline::StepOrder& order);
  void check_alone(const pipeline::RunState& run);
  void check_end();
  void check_run(const pipeline::PipelineRunView& run);
  void violate(std::string text) { violations_.push_back(std::move(text)); }
  bool chance(double probability) { return random_.uniform() < probability; }

  Disk& disk_;
  const std::uint64_t seed_;
  SimClock clock_;
  SeededRandom random_;
  IdSource ids_;
  Context context_;
  SimCatalog catalog_;
  Faults faults_;
  int parallel_max_;
  events::Log events_;  // on the real database, for the world's own use
  lineage::Lineage lineage_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Process> zombie_;  // superseded, but not dead yet
  std::vector<pipeline::PipelineRunId> runs_;
  std::set<pipeline::PipelineRunId> cancelled_;
  std::set<pipeline::PipelineRunId> retried_;
  std::int64_t first_event_ = 0;  // older ones belong to other worlds
  int runs_to_submit_ = 0;
  int crashes_ = 0;
  int turns_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace ciclo::sim
