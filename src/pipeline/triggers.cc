// SPDX-License-Identifier: Apache-2.0
#include "pipeline/triggers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/json_fields.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"

namespace ciclo::pipeline {
namespace {

constexpr int kEventsAtOnce = 200;
constexpr std::int64_t kLookAgainMs = 1'000;

const json::Value* member_at(const json::Value& body, std::string_view path) {
  const json::Value* at = &body;
  for (const std::string_view key : split(path, '.')) {
    at = at->find(key);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string consumer_name(std::string_view workspace, std::string_view name) {
  return "trigger/" + std::string(workspace) + "/" + std::string(name);
}

Result<void> check(const TriggerSpec& trigger) {
  if (trigger.name.empty()) return invalid_argument("a trigger needs a name");
  if (trigger.pipeline.empty()) {
    return invalid_argument("trigger " + quoted(trigger.name) + " needs a pipeline");
  }
  if (trigger.on.empty() && trigger.every_ms <= 0) {
    return invalid_argument("trigger " + quoted(trigger.name) +
                            " needs an event kind (on) or a time between runs (every)");
  }
  if (trigger.every_ms < 0 || trigger.cool_down_ms < 0) {
    return invalid_argument("trigger " + quoted(trigger.name) + ": times must not be negative");
  }
  return {};
}

json::Value cause_of(const TriggerSpec& trigger, const events::Event* event) {
  json::Value cause = json::Value::object({{"kind", "trigger"}, {"trigger", trigger.name}});
  if (event == nullptr) return cause;
  cause["event"] = json::Value::object({{"id", event->id},
                                        {"kind", event->kind},
                                        {"subject", event->subject},
                                        {"time_ms", event->time_ms},
                                        {"body", event->body}});
  return cause;
}

}  // namespace

struct Triggers::Stored {
  std::string workspace;
  std::int64_t created_ms = 0;
  TriggerView view;

  Context context() const {
    Context out;
    out.workspace = workspace;
    out.caller = "trigger:" + view.spec.name;
    return out;
  }
  std::string consumer() const { return consumer_name(workspace, view.spec.name); }
};

bool matches(const TriggerSpec& trigger, const events::Event& event) {
  if (event.kind != trigger.on) return false;
  if (!trigger.subject.empty() && event.subject != trigger.subject) return false;
  return std::all_of(trigger.where.begin(), trigger.where.end(), [&](const auto& condition) {
    const json::Value* found = member_at(event.body, condition.first);
    return found != nullptr && *found == condition.second;
  });
}

Triggers::Triggers(sql::Database& database, events::Log& events, Pipelines& pipelines,
                   Engine& engine, PipelineSource& source, Clock& clock)
    : database_(database),
      events_(events),
      pipelines_(pipelines),
      engine_(engine),
      source_(source),
      clock_(clock) {}

Triggers::~Triggers() { stop_thread(); }

// --- Declaring them
// -------------------------------------------------------------------------------

Result<void> Triggers::put(const Context& context, const TriggerSpec& trigger) {
  TRY(pipeline::check(trigger));
  TRY(const std::int64_t newest, events_.last_id());
  const std::string spec = json::write(trigger);
  return database_.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(const auto before,
        txn.query_one("SELECT spec FROM triggers WHERE workspace = $1 AND name = $2",
                      {std::string_view(context.workspace), std::string_view(trigger.name)},
                      [](const sql::Row& row) { return row.string(0); }));
    bool was_listening = false;
    if (before) {
      TRY(const auto old, json::read<TriggerSpec>(*before));
      was_listening = old.enabled && !old.on.empty();
    }
    TRY(txn.execute(
        R"(INSERT INTO triggers (workspace, name, spec, runs, passed, created_ms, last_run_ms,
               last_pipeline_run_id, last_error)
           VALUES ($1, $2, $3, 0, 0, $4, NULL, '', '')
           ON CONFLICT (workspace, name) DO UPDATE SET spec = excluded.spec)",
        {std::string_view(context.workspace), std::string_view(trigger.name),
         std::string_view(spec), clock_.now_ms()}));
    if (!was_listening) {
      TRY(events_.advance(txn, consumer_name(context.workspace, trigger.name), newest));
    }
    return {};
  });
}

Result<void> Triggers::remove(const Context& context, std::string_view name) {
  return database_.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(const std::int64_t removed,
        txn.execute("DELETE FROM triggers WHERE workspace = $1 AND name = $2",
                    {std::string_view(context.workspace), name}));
    if (removed == 1) return {};
    return not_found("there is no trigger " + quoted(name));
  });
}

Result<std::vector<TriggerView>> Triggers::list(const Context& context) {
  TRY(std::vector<Stored> all, load());
  std::vector<TriggerView> views;
  for (Stored& trigger : all) {
    if (trigger.workspace == context.workspace) views.push_back(std::move(trigger.view));
  }
  return views;
}

Result<std::vector<Triggers::Stored>> Triggers::load() {
  std::vector<Stored> all;
  TRY(database_.read([&](sql::Reader& reader) -> Result<void> {
    all.clear();
    return reader.query(
        R"(SELECT workspace, spec, runs, passed, created_ms, last_run_ms, last_pipeline_run_id,
                  last_error
           FROM triggers ORDER BY workspace, name)",
        {}, [&](const sql::Row& row) -> Result<void> {
          Stored trigger;
          trigger.workspace = row.string(0);
          TRY(trigger.view.spec, json::read<TriggerSpec>(row.text(1)));
          trigger.view.runs = row.integer(2);
          trigger.view.passed = row.integer(3);
          trigger.created_ms = row.integer(4);
          trigger.view.last_run_ms = row.optional_integer(5);
          trigger.view.last_pipeline_run_id = row.string(6);
          trigger.view.last_error = row.string(7);
          all.push_back(std::move(trigger));
          return {};
        });
  }));
  return all;
}

// --- Acting on them
// -------------------------------------------------------------------------------

Result<int> Triggers::check() {
  // Held over the work, which is the point: who comes second finds all that the first one started.
  const std::scoped_lock lock(checking_);
  TRY(const std::vector<Stored> all, load());
  int started = 0;
  std::optional<Error> trouble;  // the first; it holds up no other trigger
  const auto count = [&](const Result<int>& checked) {
    if (checked.ok()) started += *checked;
    if (!checked.ok() && !trouble) trouble = checked.error();
  };
  for (const Stored& trigger : all) {
    if (!trigger.view.spec.enabled) continue;
    if (!trigger.view.spec.on.empty()) count(check_events(trigger));
    if (trigger.view.spec.every_ms > 0) count(check_time(trigger));
  }
  if (started > 0) {
    events_.wake();
    engine_.wake();
  }
  if (trouble) return *trouble;
  return started;
}

Result<int> Triggers::check_events(const Stored& trigger) {
  const std::string_view kinds[] = {trigger.view.spec.on};
  int started = 0;
  for (;;) {
    TRY(const std::int64_t cursor, events_.cursor(trigger.consumer()));
    TRY(const auto batch, events_.read_after(cursor, kEventsAtOnce, kinds));
    std::int64_t unmatched = 0;
    for (const events::Event& event : batch) {
      if (event.workspace != trigger.workspace || !matches(trigger.view.spec, event)) {
        unmatched = event.id;
        continue;
      }
      TRY(const int one, start(trigger, &event));
      started += one;
      unmatched = 0;
    }
    if (unmatched != 0) {
      TRY(database_.transaction([&](sql::Txn& txn) -> Result<void> {
        TRY(events_.advance(txn, trigger.consumer(), unmatched));
        return {};
      }));
    }
    if (batch.size() < kEventsAtOnce) return started;
  }
}

Result<int> Triggers::check_time(const Stored& trigger) {
  const std::int64_t last_ms = trigger.view.last_run_ms.value_or(trigger.created_ms);
  if (clock_.now_ms() < last_ms + trigger.view.spec.every_ms) return 0;
  return start(trigger, nullptr);
}

// One transaction decides, submits and advances the cursor, so that a crash repeats all or nothing.
// What the decision depends on is read inside of it.
Result<int> Triggers::start(const Stored& trigger, const events::Event* event) {
  const auto built = source_.build(trigger.context(), trigger.view.spec, event);
  if (!built.ok()) return pass(trigger, event, built.error());
  const std::int64_t now_ms = clock_.now_ms();
  std::optional<Error> refused;
  int started = 0;
  const auto done = database_.transaction([&](sql::Txn& txn) -> Result<void> {
    started = 0;
    refused.reset();
    TRY(const bool is_new, take(txn, trigger, event));
    if (!is_new) return {};
    TRY(const bool allowed, may_start(txn, trigger, event, now_ms));
    if (!allowed) return event == nullptr ? Result<void>() : count_passed(txn, trigger, "");
    const auto run =
        pipelines_.submit(txn, trigger.context(), *built, cause_of(trigger.view.spec, event));
    const auto noted = run.ok()
                           ? source_.submitted(txn, trigger.context(), trigger.view.spec, event)
                           : Result<void>(run.error());
    if (!noted.ok()) {
      refused = noted.error();
      return noted;
    }
    started = 1;
    return count_run(txn, trigger, *run, now_ms);
  });
  if (done.ok()) return started;
  if (refused) return pass(trigger, event, *refused);
  return done.error();
}

// False when the event was dealt with since it was read, by another platform on the database.
Result<bool> Triggers::take(sql::Txn& txn, const Stored& trigger, const events::Event* event) {
  if (event == nullptr) return true;
  return events_.advance(txn, trigger.consumer(), event->id);
}

// The pipeline cannot be run for this event. Later attempts would not end better, unless the error
// passes.
Result<int> Triggers::pass(const Stored& trigger, const events::Event* event, const Error& error) {
  if (is_retryable(error)) return error;
  const bool is_choice = error.code == Code::kFailedPrecondition;
  const auto say = is_choice ? log::info : log::error;
  say(is_choice ? "a trigger passes over an event" : "a trigger cannot start its pipeline",
      {{"trigger", trigger.view.spec.name}, {"error", error.message}});
  TRY(database_.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(const bool is_new, take(txn, trigger, event));
    if (!is_new) return {};
    TRY(count_passed(txn, trigger, error.message));
    // Time starts it again only after its whole pause.
    return event != nullptr ? Result<void>() : put_off(txn, trigger, clock_.now_ms());
  }));
  return 0;
}

Result<bool> Triggers::may_start(sql::Txn& txn, const Stored& trigger, const events::Event* event,
                                 std::int64_t now_ms) {
  TRY(const auto last,
      txn.query_one(R"(SELECT t.last_run_ms, r.state FROM triggers t
                       LEFT JOIN pipeline_runs r ON r.pipeline_run_id = t.last_pipeline_run_id
                       WHERE t.workspace = $1 AND t.name = $2)",
                    {std::string_view(trigger.workspace), std::string_view(trigger.view.spec.name)},
                    [](const sql::Row& row) {
                      return std::make_pair(row.optional_integer(0), row.string(1));
                    }));
  if (!last) return false;  // it was removed meanwhile
  const auto& [last_run_ms, state] = *last;
  if (!is_final(parse_state(state).value_or(State::kSucceeded))) return false;
  const std::int64_t pause_ms =
      event != nullptr ? trigger.view.spec.cool_down_ms : trigger.view.spec.every_ms;
  return !last_run_ms || now_ms >= *last_run_ms + pause_ms;
}

Result<void> Triggers::count_passed(sql::Txn& txn, const Stored& trigger, std::string_view error) {
  TRY(txn.execute(
      R"(UPDATE triggers SET passed = passed + 1, last_error = $1
                     WHERE workspace = $2 AND name = $3)",
      {error, std::string_view(trigger.workspace), std::string_view(trigger.view.spec.name)}));
  return {};
}

Result<void> Triggers::put_off(sql::Txn& txn, const Stored& trigger, std::int64_t now_ms) {
  TRY(txn.execute(
      "UPDATE triggers SET last_run_ms = $1 WHERE workspace = $2 AND name = $3",
      {now_ms, std::string_view(trigger.workspace), std::string_view(trigger.view.spec.name)}));
  return {};
}

Result<void> Triggers::count_run(sql::Txn& txn, const Stored& trigger, const PipelineRunId& run,
                                 std::int64_t now_ms) {
  TRY(txn.execute(R"(UPDATE triggers SET runs = runs + 1, last_run_ms = $1,
                         last_pipeline_run_id = $2, last_error = ''
                     WHERE workspace = $3 AND name = $4)",
                  {now_ms, std::string_view(run.str()), std::string_view(trigger.workspace),
                   std::string_view(trigger.view.spec.name)}));
  return {};
}

void Triggers::start_thread() {
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

void Triggers::stop_thread() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  events_.wake();
  thread_.join();
}

void Triggers::loop(const std::stop_token& stop) {
  set_thread_name("triggers");
  std::uint64_t seen = 0;
  std::string last_trouble;
  while (!stop.stop_requested()) {
    const auto checked = check();
    const std::string trouble = checked.ok() ? std::string() : checked.error().message;
    if (!trouble.empty() && trouble != last_trouble) {
      log::error("triggers cannot be checked", {{"error", trouble}});
    }
    last_trouble = trouble;
    events_.wait(seen, std::chrono::milliseconds(kLookAgainMs));
  }
}

}  // namespace ciclo::pipeline
