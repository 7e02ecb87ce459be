// SPDX-License-Identifier: Apache-2.0
#include "pipeline/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/worker_pool.h"
#include "pipeline/succession.h"

namespace ciclo::pipeline {
namespace {

// Changes wait this long for answers of the cache that may join their commit.
constexpr std::int64_t kGatherMs = 10;
constexpr std::int64_t kRetryMs = 200;
// How often a record that says "unavailable" is asked again before the execution has failed.
constexpr int kRecordTriesMax = 5;
// Without a call to wake(), runs that another process submitted are found after this time.
constexpr std::int64_t kLookAgainMs = 2'000;
// How often one that stands by looks whether it may take over.
constexpr std::int64_t kStandByMs = 500;

// A run that is not final, with what was decided since its last commit.
struct Live {
  RunState run;
  std::set<std::size_t> changed;
  std::vector<Note> notes;
  std::map<ExecutionId, ExecutionReport> reports;
  std::vector<std::size_t> starts;  // to be done after the commit

  bool is_dirty() const { return !changed.empty() || !notes.empty(); }
  void mark_recorded() {
    ++run.revision;
    changed.clear();
    notes.clear();
    reports.clear();
  }
};

struct Unsettled {
  ExecutionResult result;
  int tries = 0;
};

json::Value event_body(const RunState& run, const Note& note) {
  json::Value body = json::Value::object({{"pipeline_run_id", run.id.str()},
                                          {"pipeline", run.spec->name},
                                          {"state", state_name(note.state)}});
  if (note.kind == Note::Kind::kRunFinished && !run.error.empty()) body["error"] = run.error;
  if (note.kind == Note::Kind::kRunStarted || note.kind == Note::Kind::kRunFinished) return body;
  body["step"] = run.spec->steps[note.step].name;
  body["execution_id"] = note.execution_id.str();
  body["attempt"] = note.attempt;
  body["why"] = run.steps[note.step].why;
  if (note.error) body["error"] = note.error->message;
  return body;
}

std::string_view event_kind(Note::Kind kind) {
  switch (kind) {
    case Note::Kind::kRunStarted: return "pipeline.run_started";
    case Note::Kind::kExecutionStarted: return "pipeline.step_started";
    case Note::Kind::kExecutionEnded: return "pipeline.execution_ended";
    case Note::Kind::kStepFinished: return "pipeline.step_finished";
    case Note::Kind::kRunFinished: return "pipeline.run_finished";
  }
  return "";
}

}  // namespace

struct Engine::Work {
  Work(sql::Database& database_in, events::Log& events_in, Clock& clock_in, Random& random_in,
       IdSource& ids_in, EngineOptions options)
      : database(database_in),
        events(events_in),
        clock(clock_in),
        random(random_in),
        ids(ids_in),
        owner(options.owner),
        slots_max(options.parallel_max),
        on_active(options.on_active),
        succession(database_in, clock_in, options.owner, options.dead_after_ms) {}

  Result<void> open(Runner& runner_in);
  Result<bool> open_if_free(Runner& runner_in);
  Result<std::optional<std::int64_t>> turn();
  void loop(const std::stop_token& stop);

  struct Answer {
    PipelineRunId run;
    std::size_t step;
    Result<Resolution> resolution;
  };

  // The inbox, filled by any thread.
  mutable std::mutex mutex;
  std::condition_variable_any filled;
  std::vector<Answer> answers;                  // guarded by mutex
  std::vector<Unsettled> results;               // guarded by mutex
  bool woken = true;                            // guarded by mutex
  std::map<ExecutionId, Progress> progressing;  // guarded by mutex

  std::atomic<bool> is_active{false};
  std::jthread thread;

  void forget_all();
  void set_active(bool active);
  void step_down();
  Result<std::optional<std::int64_t>> drive();
  Result<void> beat();
  Result<std::optional<std::int64_t>> stand_by();
  void release();
  void put_back(Live& live, std::vector<Leftover>& leftovers);
  void take_inbox();
  Result<void> work_through();
  Result<void> load_runs();
  Result<void> load_run(const PipelineRunId& id);
  void look_at_runs();
  void apply(Live& live, const Event& event, int& free_slots);
  void take_answer(Answer answer);
  Result<void> settle(Unsettled& unsettled);
  Result<void> settle_success(Live& live, Unsettled& unsettled);
  void fail_execution(Live& live, const Unsettled& unsettled, const Error& error);
  void resolve_step(Live& live, std::size_t step);
  Result<void> commit();
  Result<void> record(sql::Txn& txn, const Live& live);
  Result<void> record_note(sql::Txn& txn, const Live& live, const Note& note);
  void start_recorded(Live& live);
  StepOrder order(const RunState& run, std::size_t step, std::vector<ResolvedInput> inputs) const;
  Result<void> check_still_ours(sql::Txn& txn);
  std::optional<std::int64_t> next_turn_ms() const;

  // All below belongs to the thread that calls open and turn.
  sql::Database& database;
  events::Log& events;
  Clock& clock;
  Random& random;
  IdSource& ids;
  Runner* runner = nullptr;
  std::int64_t engine = 0;
  const std::string owner;
  const int slots_max;
  const std::function<void(bool)> on_active;
  Succession succession;
  std::int64_t beaten_ms = 0;
  int slots = 0;
  int resolving = 0;
  std::map<PipelineRunId, Live> lives;
  std::map<ExecutionId, PipelineRunId> started;
  std::vector<Answer> taken_answers;
  std::deque<Unsettled> taken_results;
  bool look_for_runs = false;
  bool has_room = false;       // a run ended, so that one which waited for it may begin
  std::int64_t looked_ms = 0;  // what became possible later needs another look
  bool commit_in_doubt = false;
  std::optional<std::int64_t> dirty_since_ms;
  bool superseded = false;
};

// --- Opening
// --------------------------------------------------------------------------------------

Result<void> Engine::Work::open(Runner& runner_in) {
  runner = &runner_in;
  forget_all();
  TRY(engine, database.transact([&](sql::Txn& txn) -> Result<std::int64_t> {
    return store::take_over(txn, owner, clock.now_ms());
  }));
  superseded = false;
  TRY(load_runs());
  std::vector<Leftover> leftovers;
  for (auto& [id, live] : lives) put_back(live, leftovers);
  // Before it is recorded that they are gone: a crash in between discards them once more.
  TRY(runner->discard(leftovers));
  TRY(commit());
  set_active(true);
  return {};
}

Result<bool> Engine::Work::open_if_free(Runner& runner_in) {
  runner = &runner_in;
  TRY(const bool free, succession.is_free());
  if (free) TRY(open(runner_in));
  return free;
}

// What an engine knew that was taken over since; all that counts is in the database.
void Engine::Work::forget_all() {
  lives.clear();
  started.clear();
  taken_answers.clear();
  taken_results.clear();
  slots = slots_max;
  has_room = false;
  commit_in_doubt = false;
  dirty_since_ms.reset();
  const std::scoped_lock lock(mutex);
  results.clear();
  progressing.clear();
}

void Engine::Work::put_back(Live& live, std::vector<Leftover>& leftovers) {
  for (std::size_t i = 0; i < live.run.steps.size(); ++i) {
    if (live.run.steps[i].state != State::kRunning) continue;
    leftovers.push_back({.execution_id = live.run.steps[i].execution_id,
                         .workspace = live.run.workspace,
                         .pipeline = live.run.spec->name,
                         .kind = live.run.spec->steps[i].kind});
    apply(live, event::Interrupted{i}, slots);
  }
}

Result<void> Engine::Work::load_runs() {
  TRY(const auto active,
      database.view([](sql::Reader& reader) { return store::active_runs(reader); }));
  for (const store::ActiveRun& run : active) {
    const auto known = lives.find(run.id);
    if (known == lives.end()) {
      TRY(load_run(run.id));
    } else if (run.cancel_requested) {
      known->second.run.cancel_requested = true;
    }
  }
  return {};
}

Result<void> Engine::Work::load_run(const PipelineRunId& id) {
  auto loaded = database.view([&](sql::Reader& reader) { return store::load_run(reader, id); });
  if (!loaded.ok() && loaded.error().code == Code::kDataLoss) {
    log::error("a pipeline run is given up", {{"error", loaded.error().message}});
    return database.transaction([&](sql::Txn& txn) -> Result<void> {
      TRY(check_still_ours(txn));
      return store::abandon_run(txn, id, loaded.error().message, clock.now_ms());
    });
  }
  TRY(auto run, std::move(loaded));
  if (run) lives[id].run = *std::move(run);
  return {};
}

// --- One turn
// -------------------------------------------------------------------------------------

Result<std::optional<std::int64_t>> Engine::Work::turn() {
  take_inbox();
  const Result<void> done = work_through();
  if (superseded) step_down();
  if (!done.ok()) return done.error();
  return next_turn_ms();
}

void Engine::Work::set_active(bool active) {
  is_active = active;
  if (on_active) on_active(active);
}

void Engine::Work::step_down() {
  for (const auto& execution : started) runner->stop(execution.first);
  started.clear();
  set_active(false);
}

void Engine::Work::take_inbox() {
  const std::scoped_lock lock(mutex);
  std::move(answers.begin(), answers.end(), std::back_inserter(taken_answers));
  std::move(results.begin(), results.end(), std::back_inserter(taken_results));
  answers.clear();
  results.clear();
  look_for_runs = std::exchange(woken, false) || look_for_runs;
}

// Stops at the first error. The next turn then repeats that transaction before a run changes again:
// when its answer was lost, the revision of the run tells that it was recorded, and by that what
// was recorded.
Result<void> Engine::Work::work_through() {
  if (superseded) return failed_precondition("another engine has taken over the pipelines");
  if (commit_in_doubt) TRY(commit());
  if (look_for_runs) TRY(load_runs());
  look_for_runs = false;
  while (!taken_results.empty()) {
    TRY(settle(taken_results.front()));
    taken_results.pop_front();
  }
  for (Answer& answer : std::exchange(taken_answers, {})) take_answer(std::move(answer));
  look_at_runs();
  return commit();
}

// Runs of one pipeline go one after another, oldest first: what one leaves, such as the version
// that serves, is there before the next decides.
void Engine::Work::look_at_runs() {
  looked_ms = clock.now_ms();
  has_room = false;
  std::set<std::pair<std::string_view, std::string_view>> busy;
  const auto key = [](const RunState& run) {
    return std::pair<std::string_view, std::string_view>(run.workspace, run.spec->name);
  };
  for (const auto& [id, live] : lives) {
    if (live.run.state == State::kRunning) busy.insert(key(live.run));
  }
  for (auto& [id, live] : lives) {
    const bool waits = live.run.state == State::kPending && !live.run.cancel_requested;
    if (waits && busy.contains(key(live.run))) continue;
    apply(live, event::Look{}, slots);
    if (!is_final(live.run.state)) busy.insert(key(live.run));
  }
}

void Engine::Work::apply(Live& live, const Event& event, int& free_slots) {
  Decision decision =
      decide(live.run, event,
             {.now_ms = clock.now_ms(), .random = random, .ids = ids, .slots = free_slots});
  live.changed.insert(decision.changed.begin(), decision.changed.end());
  std::move(decision.notes.begin(), decision.notes.end(), std::back_inserter(live.notes));
  for (const Action& action : decision.actions) {
    if (const auto* resolve = std::get_if<action::Resolve>(&action))
      resolve_step(live, resolve->step);
    if (const auto* start = std::get_if<action::Start>(&action)) live.starts.push_back(start->step);
    if (const auto* stop = std::get_if<action::Stop>(&action)) runner->stop(stop->execution_id);
  }
}

void Engine::Work::resolve_step(Live& live, std::size_t step) {
  auto inputs = inputs_of(live.run, step);
  ++resolving;
  if (inputs.ok()) return runner->resolve(order(live.run, step, std::move(inputs).value()));
  const std::scoped_lock lock(mutex);
  answers.push_back({live.run.id, step, inputs.error()});
}

void Engine::Work::take_answer(Answer answer) {
  --resolving;
  const auto found = lives.find(answer.run);
  if (found == lives.end()) return;
  apply(found->second, event::Resolved{answer.step, std::move(answer.resolution)}, slots);
}

// --- Ends of executions
// ---------------------------------------------------------------------------

Result<void> Engine::Work::settle(Unsettled& unsettled) {
  const ExecutionResult& result = unsettled.result;
  const auto execution = started.find(result.execution_id);
  if (execution == started.end()) return {};
  Live& live = lives.at(execution->second);
  if (result.record && result.end.state == State::kSucceeded) {
    TRY(settle_success(live, unsettled));
  } else {
    live.reports[result.execution_id] = result.report;
    apply(live, event::Ended{result.execution_id, result.end}, slots);
  }
  started.erase(result.execution_id);
  const std::scoped_lock lock(mutex);
  progressing.erase(result.execution_id);
  return {};
}

// A commit of its own, because what is recorded with it may refuse: then the execution has failed,
// and the scheduler must not have heard of a success.
Result<void> Engine::Work::settle_success(Live& live, Unsettled& unsettled) {
  const ExecutionResult& result = unsettled.result;
  std::optional<Error> refusal;
  bool was_recorded = false;
  Live trial;
  int free_slots = slots;
  const Result<void> done = database.transaction([&](sql::Txn& txn) -> Result<void> {
    refusal.reset();
    TRY(check_still_ours(txn));
    TRY(was_recorded, store::is_recorded(txn, live.run));
    if (was_recorded) return {};
    auto outputs = result.record(txn);
    if (!outputs.ok()) {
      refusal = outputs.error();
      return outputs.error();
    }
    trial = live;
    trial.reports[result.execution_id] = result.report;
    free_slots = slots;
    apply(trial,
          event::Ended{result.execution_id,
                       {.state = State::kSucceeded, .outputs = std::move(outputs).value()}},
          free_slots);
    return record(txn, trial);
  });
  if (!done.ok()) {
    if (!refusal) return done;
    const bool passing = refusal->code == Code::kUnavailable || refusal->code == Code::kConflict;
    if (passing && ++unsettled.tries < kRecordTriesMax) return done;
    fail_execution(live, unsettled, *refusal);
    return {};
  }
  if (was_recorded) {
    TRY(auto run,
        database.view([&](sql::Reader& reader) { return store::load_run(reader, live.run.id); }));
    CHECK(run.has_value());
    trial = Live();
    trial.run = *std::move(run);
    free_slots = slots + 1;
  } else {
    trial.mark_recorded();
  }
  trial.starts = std::move(live.starts);
  live = std::move(trial);
  slots = free_slots;
  start_recorded(live);
  events.wake();
  return {};
}

void Engine::Work::fail_execution(Live& live, const Unsettled& unsettled, const Error& error) {
  live.reports[unsettled.result.execution_id] = unsettled.result.report;
  apply(live,
        event::Ended{unsettled.result.execution_id, {.state = State::kFailed, .error = error}},
        slots);
}

// --- Recording
// ------------------------------------------------------------------------------------

Result<void> Engine::Work::commit() {
  const std::int64_t now_ms = clock.now_ms();
  const bool is_dirty = std::any_of(lives.begin(), lives.end(),
                                    [](const auto& entry) { return entry.second.is_dirty(); });
  if (!is_dirty) {
    dirty_since_ms.reset();
    return {};
  }
  if (!dirty_since_ms) dirty_since_ms = now_ms;
  if (resolving > 0 && !commit_in_doubt && now_ms < *dirty_since_ms + kGatherMs) return {};
  commit_in_doubt = true;
  TRY(database.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(check_still_ours(txn));
    for (const auto& [id, live] : lives) {
      if (!live.is_dirty()) continue;
      TRY(const bool was_recorded, store::is_recorded(txn, live.run));
      if (!was_recorded) TRY(record(txn, live));
    }
    return {};
  }));
  commit_in_doubt = false;
  dirty_since_ms.reset();
  for (auto entry = lives.begin(); entry != lives.end();) {
    Live& live = entry->second;
    if (live.is_dirty()) live.mark_recorded();
    start_recorded(live);
    has_room = has_room || is_final(live.run.state);
    entry = is_final(live.run.state) ? lives.erase(entry) : std::next(entry);
  }
  events.wake();
  return {};
}

Result<void> Engine::Work::check_still_ours(sql::Txn& txn) {
  const auto ours = store::check_engine(txn, engine);
  if (!ours.ok() && ours.error().code == Code::kFailedPrecondition) superseded = true;
  return ours;
}

Result<void> Engine::Work::record(sql::Txn& txn, const Live& live) {
  const std::vector<std::size_t> steps(live.changed.begin(), live.changed.end());
  TRY(store::update_run(txn, live.run, steps));
  for (const Note& note : live.notes) TRY(record_note(txn, live, note));
  return {};
}

Result<void> Engine::Work::record_note(sql::Txn& txn, const Live& live, const Note& note) {
  const RunState& run = live.run;
  const std::int64_t now_ms = clock.now_ms();
  if (note.kind == Note::Kind::kExecutionStarted) {
    TRY(store::insert_execution(txn, run.id, run.spec->steps[note.step].name, note.execution_id,
                                note.attempt, now_ms));
  } else if (note.kind == Note::Kind::kExecutionEnded) {
    const auto report = live.reports.find(note.execution_id);
    TRY(store::end_execution(txn, note.execution_id, note.state, note.error,
                             report == live.reports.end() ? ExecutionReport() : report->second,
                             now_ms));
    // A success shows in pipeline.step_finished.
    if (note.state == State::kSucceeded) return {};
  } else if (note.kind == Note::Kind::kStepFinished) {
    const StepState& step = run.steps[note.step];
    if (note.state == State::kSucceeded && !step.cache_key.empty()) {
      TRY(store::put_cache_entry(txn, run.workspace, run.spec->name,
                                 run.spec->steps[note.step].name,
                                 {.execution_id = step.execution_id,
                                  .key = step.cache_key,
                                  .parts = step.key_parts,
                                  .outputs = step.outputs},
                                 now_ms));
    } else if (note.state == State::kCached) {
      TRY(store::touch_cache_entry(txn, run.workspace, step.cache_key, now_ms));
    }
  }
  const bool about_run =
      note.kind == Note::Kind::kRunStarted || note.kind == Note::Kind::kRunFinished;
  return events.append(txn, run.workspace, event_kind(note.kind),
                       about_run ? run.spec->name : run.id.str(), event_body(run, note));
}

void Engine::Work::start_recorded(Live& live) {
  for (const std::size_t step : std::exchange(live.starts, {})) {
    auto inputs = inputs_of(live.run, step);
    CHECK(inputs.ok());  // they were there when the step was resolved, and outputs never change
    started[live.run.steps[step].execution_id] = live.run.id;
    runner->start(order(live.run, step, std::move(inputs).value()));
  }
}

StepOrder Engine::Work::order(const RunState& run, std::size_t step,
                              std::vector<ResolvedInput> inputs) const {
  return {.pipeline_run_id = run.id,
          .step = step,
          .spec = run.spec,
          .workspace = run.workspace,
          .cause = run.cause,
          .inputs = std::move(inputs),
          .execution_id = run.steps[step].execution_id,
          .attempt = run.steps[step].attempts};
}

std::optional<std::int64_t> Engine::Work::next_turn_ms() const {
  std::optional<std::int64_t> next;
  const auto consider = [&](std::optional<std::int64_t> candidate) {
    if (candidate && (!next || *candidate < *next)) next = candidate;
  };
  if (dirty_since_ms) consider(*dirty_since_ms + kGatherMs);
  if (has_room && !lives.empty()) consider(clock.now_ms());
  for (const auto& [id, live] : lives) consider(next_look_ms(live.run, looked_ms));
  return next;
}

// --- The thread
// -----------------------------------------------------------------------------------

// For those that stand by, and to notice that one of them took over while there was nothing to do.
Result<void> Engine::Work::beat() {
  if (owner.empty() || clock.now_ms() < beaten_ms + kLookAgainMs) return {};
  const auto beaten = database.transaction([&](sql::Txn& txn) { return store::beat(txn, engine); });
  if (!beaten.ok() && beaten.error().code == Code::kFailedPrecondition) superseded = true;
  if (beaten.ok()) beaten_ms = clock.now_ms();
  return beaten;
}

Result<std::optional<std::int64_t>> Engine::Work::drive() {
  const auto beaten = beat();
  if (superseded) step_down();
  if (!beaten.ok()) return beaten.error();
  return turn();
}

// Answers to what was asked before may still come; until they have, they could be mistaken for
// answers to what the next opening asks.
Result<std::optional<std::int64_t>> Engine::Work::stand_by() {
  take_inbox();
  look_for_runs = false;
  resolving -= static_cast<int>(taken_answers.size());
  taken_answers.clear();
  taken_results.clear();
  if (resolving == 0) {
    TRY(const bool opened, open_if_free(*runner));
    if (opened) {
      log::info("this server drives the pipelines now");
      return clock.now_ms();
    }
  }
  return clock.now_ms() + kStandByMs;
}

void Engine::Work::release() {
  if (!is_active || owner.empty()) return;
  const auto released =
      database.transaction([&](sql::Txn& txn) { return store::release(txn, engine); });
  if (!released.ok()) {
    log::warn("other servers wait before they take over", {{"error", released.error().message}});
  }
}

void Engine::Work::loop(const std::stop_token& stop) {
  set_thread_name("pipeline");
  std::string last_trouble;
  while (!stop.stop_requested() && (is_active || !owner.empty())) {
    const auto next = is_active ? drive() : stand_by();
    const std::string trouble = next.ok() ? std::string() : next.error().message;
    if (!trouble.empty() && trouble != last_trouble) {
      log::error("pipelines wait for the database", {{"error", trouble}});
    }
    last_trouble = trouble;
    const std::int64_t now_ms = clock.now_ms();
    const std::int64_t until_ms =
        next.ok() ? next->value_or(now_ms + kLookAgainMs) : now_ms + kRetryMs;
    const std::int64_t pause_ms = std::clamp<std::int64_t>(until_ms - now_ms, 0, kLookAgainMs);
    std::unique_lock lock(mutex);
    const bool roused = filled.wait_for(lock, stop, std::chrono::milliseconds(pause_ms), [&] {
      return next.ok() && (woken || !answers.empty() || !results.empty());
    });
    if (!roused && pause_ms == kLookAgainMs) woken = true;
  }
}

// --- The surface
// ----------------------------------------------------------------------------------

Engine::Engine(sql::Database& database, events::Log& events, Clock& clock, Random& random,
               IdSource& ids, EngineOptions options)
    : work_(std::make_unique<Work>(database, events, clock, random, ids, options)) {}

Engine::~Engine() { stop_thread(); }

Result<void> Engine::open(Runner& runner) { return work_->open(runner); }

Result<bool> Engine::open_if_free(Runner& runner) { return work_->open_if_free(runner); }

Result<std::optional<std::int64_t>> Engine::turn() { return work_->turn(); }

bool Engine::is_active() const { return work_->is_active; }

void Engine::start_thread() {
  work_->thread = std::jthread([this](const std::stop_token& stop) { work_->loop(stop); });
}

void Engine::stop_thread() {
  if (!work_->thread.joinable()) return;
  work_->thread.request_stop();
  work_->thread.join();
}

void Engine::release() { work_->release(); }

void Engine::wake() {
  const std::scoped_lock lock(work_->mutex);
  work_->woken = true;
  work_->filled.notify_one();
}

std::optional<Progress> Engine::progress(const ExecutionId& execution) const {
  const std::scoped_lock lock(work_->mutex);
  const auto found = work_->progressing.find(execution);
  if (found == work_->progressing.end()) return std::nullopt;
  return found->second;
}

void Engine::resolved(PipelineRunId run, std::size_t step, Result<Resolution> resolution) {
  const std::scoped_lock lock(work_->mutex);
  work_->answers.push_back({std::move(run), step, std::move(resolution)});
  work_->filled.notify_one();
}

void Engine::ended(ExecutionResult result) {
  const std::scoped_lock lock(work_->mutex);
  work_->results.push_back({.result = std::move(result)});
  work_->filled.notify_one();
}

void Engine::progressed(const ExecutionId& execution, Progress progress) {
  const std::scoped_lock lock(work_->mutex);
  work_->progressing[execution] = std::move(progress);
}

}  // namespace ciclo::pipeline
