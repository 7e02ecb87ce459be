// SPDX-License-Identifier: Apache-2.0
#include "sim/pipeline_world.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <utility>

#include "pipeline/store.h"
#include "sql/sqlite.h"

namespace ciclo::sim {
namespace {

using pipeline::ExecutionId;
using pipeline::PipelineRunId;
using pipeline::State;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr int kTurnsMax = 20'000;
// Faults and meddling end after this many turns, so that every world can come to its end.
constexpr int kTroubleTurns = 400;

// In memory where the system has such a folder: a simulation needs no fsync.
std::filesystem::path fast_folder() {
  const std::filesystem::path shared = "/dev/shm";
  return std::filesystem::is_directory(shared) ? shared : std::filesystem::path();
}

void must(const Result<void>& done) {
  if (!done.ok()) check_failed(done.error().message.c_str(), __FILE__, __LINE__);
}

// The effect of a step, written in the transaction of its completion.
constexpr sql::Migration kEffects{
    .module = "sim", .number = 1, .name = "effects", .sql = R"(CREATE TABLE sim_effects (
                                                pipeline_run_id TEXT NOT NULL,
                                                step TEXT NOT NULL,
                                                execution_id TEXT NOT NULL))"};

struct Effect {
  std::string step;
  std::string execution_id;
};

Result<std::vector<Effect>> effects_of(sql::Reader& reader, const PipelineRunId& run) {
  return reader.query_all("SELECT step, execution_id FROM sim_effects WHERE pipeline_run_id = $1",
                          {std::string_view(run.str())}, [](const sql::Row& row) {
                            return Effect{row.string(0), row.string(1)};
                          });
}

}  // namespace

Disk::Disk() : directory(fast_folder()) {
  auto opened = sql::open_sqlite({.path = directory.path() / "ciclo.db"});
  CHECK(opened.ok());
  database = std::move(opened).value();
  auto store = blob::open_local(directory.path() / "blobs");
  CHECK(store.ok());
  blobs = std::move(store).value();
  std::vector<sql::Migration> all;
  for (const auto& schema : {events::schema(), lineage::schema(), pipeline::schema()}) {
    all.insert(all.end(), schema.begin(), schema.end());
  }
  all.push_back(kEffects);
  must(sql::migrate(*database, all));
}

// --- The catalog
// ----------------------------------------------------------------------------------

SimCatalog::SimCatalog() {
  kind_.name = "sim";
  for (int i = 0; i < 20; ++i) kind_.inputs.push_back({"in" + std::to_string(i), false});
  kind_.outputs.push_back({"out", "file"});
}

const pipeline::StepKind* SimCatalog::find(std::string_view kind) const {
  return kind == kind_.name ? &kind_ : nullptr;
}

Result<std::vector<pipeline::FingerprintPart>> SimCatalog::fingerprint(
    const Context&, const pipeline::StepSpec&, const std::vector<pipeline::ResolvedInput>&) {
  return std::vector<pipeline::FingerprintPart>();
}

Result<pipeline::StepCommand> SimCatalog::command(const Context&, const pipeline::StepRun&) {
  return internal("simulated steps have no command");
}

Result<pipeline::ServiceResult> SimCatalog::run_service(const Context&, const pipeline::StepRun&) {
  return internal("simulated steps are no services");
}

Result<void> SimCatalog::committed(sql::Txn&, const pipeline::StepRun&,
                                   const std::vector<pipeline::Output>&) {
  return {};
}

// --- A process
// ------------------------------------------------------------------------------------

Process::Process(World& world, Faults faults, int parallel_max)
    : database(*world.disk_.database, world.random_, faults),
      events(database, world.clock_),
      engine(database, events, world.clock_, world.random_, world.ids_,
             {.parallel_max = parallel_max}),
      world_(world),
      parallel_max_(parallel_max) {}

void Process::resolve(pipeline::StepOrder order) {
  const std::int64_t delay_ms =
      world_.chance(0.7) ? 0 : static_cast<std::int64_t>(world_.random_.below(40));
  calendar_.push_back({world_.clock_.now_ms() + delay_ms,
                       [this, order = std::move(order)] {
                         engine.resolved(
                             order.pipeline_run_id, order.step,
                             pipeline::resolve_step(world_.context_, database, world_.lineage_,
                                                    world_.catalog_, order.spec->name,
                                                    order.spec->steps[order.step], order.inputs));
                       },
                       ExecutionId()});
}

void Process::start(pipeline::StepOrder order) {
  if (is_dead()) return;
  world_.check_start(*this, order);
  running_.insert(order.execution_id);
  if (running_.size() > static_cast<std::size_t>(parallel_max_)) {
    world_.violate("more executions run than the engine may start");
  }
  plan_end(order);
}

// A step's fate is drawn when it starts.
void Process::plan_end(const pipeline::StepOrder& order) {
  pipeline::ExecutionResult result;
  result.execution_id = order.execution_id;
  const double dice = world_.random_.uniform();
  const bool calm = world_.turns_ > kTroubleTurns;
  if (!calm && dice < 0.15) {
    result.end = {.state = State::kFailed, .error = unavailable("simulated: a passing failure")};
  } else if (!calm && dice < 0.2) {
    result.end = {.state = State::kFailed,
                  .error = invalid_argument("simulated: the author's error")};
  } else {
    const bool refuses = !calm && world_.chance(0.05);
    const bool hesitates = !calm && world_.chance(0.1);
    const pipeline::StepSpec& step = order.spec->steps[order.step];
    const std::string hash = step.parameters.string_or("salt", "") + step.name;
    result.record = [order, name = step.name, hash, refuses, &world = world_,
                     hesitates](sql::Txn& txn) -> Result<std::vector<pipeline::Output>> {
      if (refuses) return failed_precondition("simulated: the effect is refused");
      if (hesitates && world.chance(0.5)) return unavailable("simulated: the effect has to wait");
      TRY(txn.execute(
          "INSERT INTO sim_effects (pipeline_run_id, step, execution_id) VALUES ($1, $2, $3)",
          {std::string_view(order.pipeline_run_id.str()), std::string_view(name),
           std::string_view(order.execution_id.str())}));
      return std::vector<pipeline::Output>{
          {.port = "out", .artifact_id = order.execution_id.str(), .hash = hash}};
    };
  }
  const auto duration_ms = static_cast<std::int64_t>(world_.random_.below(3'000));
  const bool is_lost = !world_.chance(0.995);  // an answer that comes twice
  for (int copy = 0; copy < (is_lost ? 2 : 1); ++copy) {
    calendar_.push_back({world_.clock_.now_ms() + duration_ms + copy,
                         [this, result] {
                           running_.erase(result.execution_id);
                           engine.ended(result);
                         },
                         order.execution_id});
  }
}

// Some steps end politely, some are killed later, some end well although they were asked to stop.
void Process::stop(const ExecutionId& execution) {
  const double dice = world_.random_.uniform();
  if (dice < 0.2) return;
  for (Due& due : calendar_) {
    if (due.execution != execution) continue;
    due.time_ms = std::min(
        due.time_ms, world_.clock_.now_ms() + static_cast<std::int64_t>(world_.random_.below(500)));
    due.deliver = [this, execution] {
      running_.erase(execution);
      pipeline::ExecutionResult result;
      result.execution_id = execution;
      result.end = {.state = State::kCancelled, .error = cancelled("simulated: stopped")};
      engine.ended(std::move(result));
    };
  }
}

Result<void> Process::discard(const std::vector<pipeline::Leftover>&) { return {}; }

std::int64_t Process::act() {
  std::vector<Due> due;
  const std::int64_t now_ms = world_.clock_.now_ms();
  const auto later = std::stable_partition(calendar_.begin(), calendar_.end(),
                                           [&](const Due& one) { return one.time_ms <= now_ms; });
  std::move(calendar_.begin(), later, std::back_inserter(due));
  calendar_.erase(calendar_.begin(), later);
  for (const Due& one : due) one.deliver();
  const auto next = engine.turn();
  if (!next.ok() && next.error().code == Code::kFailedPrecondition) superseded_ = true;
  if (!next.ok()) return std::min(now_ms + 200, next_ms(std::nullopt));
  return next_ms(*next);
}

std::int64_t Process::next_ms(std::optional<std::int64_t> engine_ms) const {
  std::int64_t next = engine_ms.value_or(kNever);
  for (const Due& due : calendar_) next = std::min(next, due.time_ms);
  return next;
}

// --- The world
// ------------------------------------------------------------------------------------

World::World(Disk& disk, std::uint64_t seed)
    : disk_(disk),
      seed_(seed),
      random_(seed),
      ids_(clock_, random_),
      parallel_max_(1 + static_cast<int>(random_.below(4))),
      events_(*disk.database, clock_),
      lineage_(*disk.database, *disk.blobs, clock_, ids_) {
  first_event_ = events_.last_id().value();
  context_.workspace = "seed-" + std::to_string(seed);
  if (chance(0.6)) {
    faults_ = {.before = 0.03, .undone = 0.03, .lost = 0.05, .read = 0.02, .crash = 0.04};
  }
  runs_to_submit_ = 1 + static_cast<int>(random_.below(3));
}

std::vector<std::string> World::play() {
  while (turns_ < kTurnsMax && violations_.empty()) {
    ++turns_;
    if (!process_ || process_->is_dead()) replace_process();
    if (turns_ == kTroubleTurns && process_) process_->database.heal();
    if (runs_to_submit_ > 0 && (runs_.empty() || chance(0.1))) submit_one();
    if (turns_ < kTroubleTurns) meddle();
    act_on_zombie();
    std::int64_t next_ms = clock_.now_ms() + 200;
    if (process_) next_ms = process_->act();
    if (process_ && process_->is_superseded()) violate("the newest engine was told that it is not");
    if (runs_to_submit_ == 0 && all_ended()) break;
    if (next_ms == kNever) {
      if (process_ && !process_->is_dead()) process_->engine.wake();
      next_ms = clock_.now_ms() + 2'000;
    }
    clock_.advance_ms(std::max<std::int64_t>(0, next_ms - clock_.now_ms()));
  }
  if (violations_.empty()) check_end();
  return violations_;
}

std::string World::summary() const {
  return "seed " + std::to_string(seed_) + ": " + std::to_string(runs_.size()) + " runs, " +
         std::to_string(crashes_) + " crashes, " + std::to_string(turns_) + " turns";
}

// A graph in which each step needs some of those before it.
pipeline::PipelineSpec World::random_spec() {
  pipeline::PipelineSpec spec;
  spec.name = "pipeline-" + std::to_string(random_.below(2));
  spec.parallel_max = static_cast<int>(random_.below(4));
  const std::size_t count = 1 + random_.below(9);
  for (std::size_t i = 0; i < count; ++i) {
    pipeline::StepSpec step;
    step.name = "step-" + std::to_string(i);
    step.kind = "sim";
    step.parameters["salt"] = std::to_string(random_.below(2));
    step.retries = static_cast<int>(random_.below(4));
    step.backoff_ms = static_cast<std::int64_t>(random_.below(2'000));
    step.cache = chance(0.7);
    for (std::size_t before = 0; before < i; ++before) {
      if (!chance(0.3)) continue;
      const std::string name = "step-" + std::to_string(before);
      if (chance(0.7)) {
        step.inputs["in" + std::to_string(before)] = name + ".out";
      } else {
        step.after.push_back(name);
      }
    }
    spec.steps.push_back(std::move(step));
  }
  return spec;
}

void World::submit_one() {
  if (!process_) return;
  --runs_to_submit_;
  pipeline::Pipelines pipelines(*disk_.database, events_, *disk_.blobs, lineage_, catalog_,
                                process_->engine, clock_, ids_, "");
  const auto run = pipelines.submit(context_, random_spec());
  if (!run.ok()) return violate("submit: " + run.error().message);
  runs_.push_back(*run);
}

// What people and operators do.
void World::meddle() {
  if (!process_ || process_->is_dead() || runs_.empty()) return;
  pipeline::Pipelines pipelines(*disk_.database, events_, *disk_.blobs, lineage_, catalog_,
                                process_->engine, clock_, ids_, "");
  const PipelineRunId run = runs_[random_.below(runs_.size())];
  if (chance(0.01) && pipelines.cancel(context_, run).ok()) cancelled_.insert(run);
  if (chance(0.02) && pipelines.retry(context_, run).ok()) {
    retried_.insert(run);
    cancelled_.erase(run);
  }
  if (chance(0.01) && faults_.crash > 0) process_->database.die();
  // Somebody starts a second server by mistake, or the first one hangs.
  if (chance(0.005) && faults_.crash > 0) zombie_ = std::move(process_);
}

void World::replace_process() {
  if (process_) ++crashes_;
  const bool calm = turns_ > kTroubleTurns;
  process_ = std::make_unique<Process>(*this, calm ? Faults() : faults_, parallel_max_);
  // A process whose start fails is started again by its operator.
  if (!process_->engine.open(*process_).ok()) process_.reset();
}

void World::act_on_zombie() {
  if (!zombie_) return;
  zombie_->act();
  if (chance(0.05)) zombie_.reset();
}

bool World::all_ended() {
  const auto active = disk_.database->view(
      [](sql::Reader& reader) { return pipeline::store::active_runs(reader); });
  return active.ok() && active->empty();
}

// At the moment of a start: it is recorded, its needs are recorded as done, it has not been done
// before.
void World::check_start(const Process& process, const pipeline::StepOrder& order) {
  if (&process != process_.get()) return;  // a zombie may act on what it recorded in time
  const auto loaded = disk_.database->view([&](sql::Reader& reader) {
    return pipeline::store::load_run(reader, order.pipeline_run_id);
  });
  if (!loaded.ok() || !*loaded) return violate("a step of an unknown run was started");
  const pipeline::RunState& run = **loaded;
  const pipeline::StepState& step = run.steps[order.step];
  const std::string name = order.spec->steps[order.step].name;
  if (step.state != State::kRunning || step.execution_id != order.execution_id) {
    violate(name + " was started before that was recorded");
  }
  for (const std::size_t before : run.graph->nodes[order.step].needs) {
    if (!pipeline::is_done(run.steps[before].state))
      violate(name + " was started before its inputs");
  }
  const auto effects = disk_.database->view(
      [&](sql::Reader& reader) { return effects_of(reader, order.pipeline_run_id); });
  for (const Effect& effect : effects.value()) {
    if (effect.step == name) violate(name + " was started although it was done");
  }
  check_alone(run);
}

// Runs of one pipeline go one after another.
void World::check_alone(const pipeline::RunState& run) {
  for (const PipelineRunId& id : runs_) {
    if (id == run.id) continue;
    const auto other = disk_.database->view(
        [&](sql::Reader& reader) { return pipeline::store::load_run(reader, id); });
    if (!other.ok() || !*other || (*other)->spec->name != run.spec->name) continue;
    if ((*other)->state == State::kRunning) violate("two runs of one pipeline run at once");
  }
}

void World::check_end() {
  pipeline::Pipelines pipelines(*disk_.database, events_, *disk_.blobs, lineage_, catalog_,
                                process_->engine, clock_, ids_, "");
  for (const PipelineRunId& id : runs_) {
    const auto run = pipelines.get(context_, id);
    if (!run.ok()) return violate("run " + id.str() + ": " + run.error().message);
    check_run(*run);
    const auto executions = pipelines.executions(context_, id);
    for (const auto& execution : executions.value()) {
      if (!is_final(execution.state)) violate("an execution was never ended: " + execution.step);
    }
  }
}

void World::check_run(const pipeline::PipelineRunView& run) {
  const PipelineRunId id(run.pipeline_run_id);
  if (!is_final(run.state)) return violate("a run never ended");
  std::map<std::string, State> states;
  for (const auto& step : run.steps) states[step.name] = step.state;
  const auto effects =
      disk_.database->view([&](sql::Reader& reader) { return effects_of(reader, id); });
  std::map<std::string, std::vector<std::string>> done;
  for (const Effect& effect : effects.value()) done[effect.step].push_back(effect.execution_id);

  bool failed = false;
  bool was_cancelled = false;
  for (const auto& step : run.steps) {
    const std::string what = step.name + " (" + std::string(state_name(step.state)) + ")";
    if (!is_final(step.state)) violate(what + " was lost");
    const std::size_t expected = step.state == State::kSucceeded ? 1 : 0;
    if (done[step.name].size() != expected) {
      violate(what + " has " + std::to_string(done[step.name].size()) + " effects");
    } else if (expected == 1 && done[step.name].front() != step.execution_id) {
      violate(what + " names another execution than the one that was committed");
    }
    const bool needs_done = std::all_of(step.needs.begin(), step.needs.end(),
                                        [&](const auto& name) { return is_done(states.at(name)); });
    if (is_done(step.state) && !needs_done) violate(what + " is done without its inputs");
    if (step.state == State::kSkipped && needs_done)
      violate(what + " was skipped without a reason");
    if (step.state == State::kCancelled && !cancelled_.contains(id)) {
      violate(what + " although nobody cancelled the run");
    }
    failed = failed || step.state == State::kFailed;
    was_cancelled = was_cancelled || step.state == State::kCancelled;
  }
  const State expected = failed          ? State::kFailed
                         : was_cancelled ? State::kCancelled
                                         : State::kSucceeded;
  if (run.state != expected) violate("the run's state does not follow from its steps");

  // Each end of the run, and of each step in it, is told once; retries may tell more.
  if (retried_.contains(id)) return;
  const auto all = events_.read_after(first_event_, 1'000'000);
  std::map<std::string, int> told;
  for (const auto& event : all.value()) {
    if (event.workspace != context_.workspace) continue;
    if (event.body.string_or("pipeline_run_id", "") != id.str()) continue;
    if (event.kind == "pipeline.run_finished" || event.kind == "pipeline.run_started") {
      ++told[event.kind];
    }
    if (event.kind == "pipeline.step_finished") ++told[event.body.string_or("step", "")];
  }
  if (told.size() != run.steps.size() + 2) violate("an event of the run is missing");
  for (const auto& [what, times] : told) {
    if (times != 1) violate(what + " was told " + std::to_string(times) + " times");
  }
}

}  // namespace ciclo::sim
