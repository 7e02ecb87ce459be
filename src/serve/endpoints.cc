// SPDX-License-Identifier: Apache-2.0
#include "serve/endpoints.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cctype>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_set>
#include <utility>

#include "base/json_fields.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "serve/reaper.h"
#include "serve/store.h"
#include "sql/dialect.h"
#include "train/label.h"

namespace ciclo::serve {

struct ServingVersion::Counters {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> rows{0};
  std::atomic<std::uint64_t> predicting_us{0};
  std::array<std::atomic<std::uint64_t>, 24> duration_us{};
};

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::size_t kInferenceIdBytesMax = 256;
constexpr std::chrono::milliseconds kFollowInterval{1'000};
// What no event tells, such as a changed spec whose version stays, is noticed after this time.
constexpr std::int64_t kLookAgainNs = 5'000'000'000;
constexpr std::int64_t kRetryFirstNs = 1'000'000'000;
constexpr std::int64_t kRetryMaxNs = 60'000'000'000;
constexpr int kWarmUps = 3;

Result<void> check_spec(const EndpointSpec& spec) {
  const auto is_allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
  };
  if (spec.name.empty() || spec.name.size() > 64 || spec.name.front() == '.' ||
      !std::all_of(spec.name.begin(), spec.name.end(), is_allowed)) {
    return invalid_argument(
        "endpoint name " + quoted(spec.name) +
        ": must be 1 to 64 letters, digits, '_', '-' or '.', not beginning with "
        "'.'");
  }
  if (spec.model.empty()) {
    return invalid_argument("endpoint " + quoted(spec.name) + ": names no model");
  }
  if (spec.alias.empty() == spec.version.empty()) {
    return invalid_argument("endpoint " + quoted(spec.name) +
                            ": needs either an alias to follow or a fixed version");
  }
  return {};
}

// Runs the model on its own example before anyone else does: what fails here would fail for users,
// and what is slow once is slow now.
Result<void> check_and_warm(const Model& model) {
  const Signature& signature = model.signature();
  if (signature.inputs.empty() || signature.outputs.empty()) {
    return failed_precondition("its signature has no inputs or no outputs");
  }
  const data::Batch& example = model.input_example();
  if (example.rows() == 0) return {};
  for (int i = 0; i < kWarmUps; ++i) {
    const auto outputs = model.predict(example);
    if (!outputs.ok()) return outputs.error().with_context("it fails on its own input example");
    if (outputs->rows() != example.rows() || outputs->columns.size() != signature.outputs.size()) {
      return failed_precondition(
          "it answers its own input example with another shape than its "
          "signature tells");
    }
  }
  return {};
}

// One id of the request becomes one a row.
std::vector<std::string> row_ids(const std::string& id, std::size_t rows) {
  if (rows == 1) return {id};
  std::vector<std::string> out;
  out.reserve(rows);
  for (std::size_t i = 0; i < rows; ++i) out.push_back(id + "-" + std::to_string(i));
  return out;
}

Result<void> set_inference_ids(Prediction& out, std::size_t rows,
                               const std::vector<std::string>& given, IdSource& ids) {
  for (const auto& id : given) {
    if (id.empty() || id.size() > kInferenceIdBytesMax || !is_utf8(id)) {
      return invalid_argument("inference id " + quoted(id) + ": must be 1 to " +
                              std::to_string(kInferenceIdBytesMax) + " bytes of UTF-8");
    }
  }
  if (given.size() <= 1) {
    out.inference_id = given.empty() ? ids.next() : given.front();
    out.inference_ids = row_ids(out.inference_id, rows);
    return {};
  }
  if (given.size() != rows) {
    return invalid_argument("got " + std::to_string(given.size()) + " inference ids for " +
                            std::to_string(rows) + " rows; give one a row, one, or none");
  }
  std::unordered_set<std::string_view> seen;
  for (const auto& id : given) {
    if (!seen.insert(id).second) {
      return invalid_argument("inference id " + quoted(id) + " is given to two rows");
    }
  }
  out.inference_ids = given;
  return {};
}

Result<std::vector<std::int64_t>> event_times_for(std::size_t rows,
                                                  const std::vector<std::int64_t>& given,
                                                  std::int64_t now_ms) {
  if (given.empty()) return std::vector<std::int64_t>(rows, now_ms);
  for (const std::int64_t time_ms : given) {
    // A time in the far future would end every window of the monitor.
    if (time_ms < 0 || time_ms > now_ms + kDayMs) {
      return invalid_argument("event time " + std::to_string(time_ms) +
                              ": must be milliseconds since 1970, at most one day from now");
    }
  }
  if (given.size() == 1) return std::vector<std::int64_t>(rows, given.front());
  if (given.size() != rows) {
    return invalid_argument("got " + std::to_string(given.size()) + " event times for " +
                            std::to_string(rows) + " rows; give one a row, one for all, or none");
  }
  return given;
}

// `serving` may be null: while nothing is loaded, any scalar is kept, and readers pass over what
// does not fit.
Result<void> check_labels(const std::vector<Label>& labels, std::int64_t now_ms,
                          const ServingVersion* serving) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const Label& label = labels[i];
    const std::string place = "labels[" + std::to_string(i) + "]: ";
    if (label.inference_id.empty() || label.inference_id.size() > kInferenceIdBytesMax) {
      return invalid_argument(place + "inference_id must be 1 to " +
                              std::to_string(kInferenceIdBytesMax) + " bytes");
    }
    if (!label.label.is_number() && !label.label.is_bool() && !label.label.is_string()) {
      return invalid_argument(place + "label must be a number, a boolean or a text, got " +
                              std::string(json::kind_name(label.label.kind())));
    }
    if (serving != nullptr) {
      const auto number = train::label_number(label.label, serving->loaded->labels());
      if (!number.ok()) return invalid_argument(place + number.error().message);
    }
    if (label.time_ms && (*label.time_ms < 0 || *label.time_ms > now_ms + kDayMs)) {
      return invalid_argument(place +
                              "time_ms must be milliseconds since 1970, at most one day "
                              "from now");
    }
  }
  return {};
}

}  // namespace

std::string_view state_name(EndpointState state) {
  switch (state) {
    case EndpointState::kPending: return "pending";
    case EndpointState::kReady: return "ready";
    case EndpointState::kFailed: return "failed";
  }
  return "pending";
}

const Signature::Column* Signature::input(std::string_view name) const {
  for (const auto& column : inputs) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

struct Endpoints::State {
  State(sql::Database& database_in, events::Log& log_in, Clock& clock_in, IdSource& ids_in,
        ModelSource& source_in, Capture& capture_in)
      : database(database_in),
        log(log_in),
        clock(clock_in),
        ids(ids_in),
        source(source_in),
        capture(capture_in) {}

  sql::Database& database;
  events::Log& log;
  Clock& clock;
  IdSource& ids;
  ModelSource& source;
  Capture& capture;
  std::shared_ptr<Reaper> reaper = std::make_shared<Reaper>();

  // What requests read: one shared lock, one copy of a pointer. Not std::atomic<std::shared_ptr>:
  // g++ 12 unlocks its load with relaxed order, which is a race.
  struct Slot {
    std::shared_ptr<ServingVersion::Counters> counters;
    std::shared_ptr<const ServingVersion> serving;  // null while nothing is loaded
  };
  mutable std::shared_mutex slots_mutex;
  std::map<std::string, Slot, std::less<>> slots;  // guarded by slots_mutex

  // One change of endpoints at a time. Held while a version loads: changes are rare, and two that
  // ran at once could swap in the wrong order. Requests never take it.
  std::mutex control_mutex;
  struct Retry {
    std::string wanted;
    std::int64_t not_before_ns = 0;
    std::int64_t wait_ns = 0;
  };
  std::map<std::string, Retry, std::less<>> retries;  // guarded by control_mutex

  std::atomic<bool> is_ready{false};
  std::jthread follower;
  // Of the follower's thread, once it runs. Not kept in the database: each server that shares it
  // follows for itself, and looks at everything when it starts.
  std::int64_t followed_event = 0;
  std::int64_t looked_ns = 0;

  Result<std::string> wanted_version(const Context& ctx, const EndpointSpec& spec);
  Result<std::unique_ptr<ServingVersion>> load(const Context& ctx, const EndpointSpec& spec,
                                               const std::string& version);
  void show(std::unique_ptr<ServingVersion> loaded);
  // Whether the endpoint's spec is a new one, or the one that stands in the database.
  enum class Spec { kNew, kStored };
  Result<Endpoint> deploy(const Context& ctx, Endpoint endpoint, const std::string& version,
                          Spec spec);
  Result<void> note_failure(const Context& ctx, const Endpoint& endpoint, const Error& error);
  Result<void> reconcile_one(const Context& ctx, const Endpoint& endpoint);
  Result<void> reconcile_all(const Context& ctx);
  void forget_removed(const std::vector<Endpoint>& all);
  Result<void> follow_once(const Context& ctx);
  void follow(std::stop_token stop);
};

Endpoints::Endpoints(sql::Database& database, events::Log& log, Clock& clock, IdSource& ids,
                     ModelSource& source, Capture& capture)
    : state_(std::make_unique<State>(database, log, clock, ids, source, capture)) {}

Endpoints::~Endpoints() {
  stop();
  state_->slots.clear();
  state_->reaper->stop();
}

Result<void> Endpoints::start() {
  const Context ctx{.caller = "serve"};
  {
    const std::lock_guard control(state_->control_mutex);
    TRY(state_->followed_event, state_->log.last_id());
    TRY(const auto all,
        state_->database.view([](sql::Reader& reader) { return store::list(reader); }));
    for (const auto& endpoint : all) {
      {
        const std::unique_lock lock(state_->slots_mutex);
        state_->slots[endpoint.spec.name].counters = std::make_shared<ServingVersion::Counters>();
      }
      if (endpoint.serving_version.empty()) continue;
      EndpointSpec served = endpoint.spec;
      served.model = endpoint.serving_model;
      auto loaded = state_->load(ctx, served, endpoint.serving_version);
      if (loaded.ok()) {
        state_->show(std::move(*loaded));
      } else {
        TRY(state_->note_failure(ctx, endpoint, loaded.error()));
      }
    }
    TRY(state_->reconcile_all(ctx));
  }
  state_->is_ready = true;
  state_->follower =
      std::jthread([state = state_.get()](std::stop_token stop) { state->follow(stop); });
  return {};
}

void Endpoints::stop() {
  state_->follower.request_stop();
  state_->log.wake();
  if (state_->follower.joinable()) state_->follower.join();
}

bool Endpoints::is_ready() const { return state_->is_ready; }

Result<std::string> Endpoints::State::wanted_version(const Context& ctx, const EndpointSpec& spec) {
  if (!spec.version.empty()) return spec.version;
  return source.resolve(ctx, spec.model, spec.alias);
}

Result<std::unique_ptr<ServingVersion>> Endpoints::State::load(const Context& ctx,
                                                               const EndpointSpec& spec,
                                                               const std::string& version) {
  const std::string name = "model " + quoted(spec.model) + " version " + version;
  auto model = source.load(ctx, spec.model, version);
  if (!model.ok()) return model.error().with_context("cannot load " + name);
  const auto checked = check_and_warm(**model);
  if (!checked.ok()) return checked.error().with_context("cannot serve " + name);
  auto serving = std::make_unique<ServingVersion>();
  serving->endpoint = spec.name;
  serving->model = spec.model;
  serving->version = version;
  serving->capture = spec.capture;
  serving->loaded = std::move(*model);
  return serving;
}

// From here on new requests run on this version; the old one is freed after its last.
void Endpoints::State::show(std::unique_ptr<ServingVersion> loaded) {
  const std::string name = loaded->endpoint;
  std::shared_ptr<const ServingVersion> old;
  {
    const std::unique_lock lock(slots_mutex);
    Slot& slot = slots[name];
    if (!slot.counters) slot.counters = std::make_shared<ServingVersion::Counters>();
    loaded->counters = slot.counters;
    old = std::exchange(slot.serving, reaper->share(std::move(loaded)));
  }
}

// Loads the version, writes down that it serves, then shows it. cancelled: another server changed
// or removed the endpoint meanwhile.
Result<Endpoint> Endpoints::State::deploy(const Context& ctx, Endpoint endpoint,
                                          const std::string& version, Spec spec) {
  const std::int64_t started_ns = clock.monotonic_ns();
  TRY(auto loaded, load(ctx, endpoint.spec, version));
  endpoint.state = EndpointState::kReady;
  endpoint.serving_model = endpoint.spec.model;
  endpoint.serving_version = version;
  endpoint.message.clear();
  endpoint.updated_ms = clock.now_ms();
  TRY(database.transaction([&](sql::Txn& txn) -> Result<void> {
    // Another server of the database may have written the same down already.
    TRY(sql::serialize(txn, "endpoint:" + endpoint.spec.name));
    TRY(const auto before, store::find(txn, endpoint.spec.name));
    const bool is_same = before && json::write(before->spec) == json::write(endpoint.spec);
    if (spec == Spec::kStored && !is_same) {
      return cancelled("endpoint " + quoted(endpoint.spec.name) + " was changed meanwhile");
    }
    const std::string previous = before ? before->serving_version : "";
    const bool is_change = !before || before->serving_model != endpoint.serving_model ||
                           before->serving_version != version;
    const auto stored = store::put(txn, ctx, endpoint);
    if (!stored.ok() || !is_change) return stored;
    const auto added = store::add_deployment(txn, {.endpoint = endpoint.spec.name,
                                                   .model = endpoint.spec.model,
                                                   .version = version,
                                                   .previous = previous,
                                                   .time_ms = endpoint.updated_ms,
                                                   .caller = ctx.caller});
    if (!added.ok()) return added;
    return log.append(txn, ctx.workspace, "endpoint.deployed", endpoint.spec.name,
                      json::Value::object({{"endpoint", endpoint.spec.name},
                                           {"model", endpoint.spec.model},
                                           {"version", version},
                                           {"previous", previous}}));
  }));
  log.wake();
  show(std::move(loaded));
  retries.erase(endpoint.spec.name);
  log::info("endpoint serves", {{"endpoint", endpoint.spec.name},
                                {"model", endpoint.spec.model},
                                {"version", version},
                                {"ms", (clock.monotonic_ns() - started_ns) / 1'000'000}});
  return endpoint;
}

Result<void> Endpoints::State::note_failure(const Context& ctx, const Endpoint& endpoint,
                                            const Error& error) {
  bool is_serving = false;
  {
    const std::shared_lock lock(slots_mutex);
    const auto slot = slots.find(endpoint.spec.name);
    is_serving = slot != slots.end() && slot->second.serving != nullptr;
  }
  const EndpointState now = is_serving ? EndpointState::kReady : EndpointState::kFailed;
  if (endpoint.message == error.message && endpoint.state == now) return {};
  log::warn("endpoint cannot serve the version it wants",
            {{"endpoint", endpoint.spec.name}, {"error", error.message}});
  return database.transaction([&](sql::Txn& txn) -> Result<void> {
    const auto noted =
        store::set_message(txn, endpoint.spec.name, now, error.message, clock.now_ms());
    if (!noted.ok()) return noted;
    return log.append(txn, ctx.workspace, "endpoint.deploy_failed", endpoint.spec.name,
                      json::Value::object({{"endpoint", endpoint.spec.name},
                                           {"model", endpoint.spec.model},
                                           {"error", error.message}}));
  });
}

Result<void> Endpoints::State::reconcile_one(const Context& ctx, const Endpoint& endpoint) {
  const auto wanted = wanted_version(ctx, endpoint.spec);
  if (!wanted.ok()) return note_failure(ctx, endpoint, wanted.error());
  std::shared_ptr<const ServingVersion> serving;
  {
    const std::shared_lock lock(slots_mutex);
    const auto slot = slots.find(endpoint.spec.name);
    if (slot != slots.end()) serving = slot->second.serving;
  }
  if (serving && serving->model == endpoint.spec.model && serving->version == *wanted &&
      serving->capture == endpoint.spec.capture) {
    if (endpoint.message.empty() && endpoint.state == EndpointState::kReady) return {};
    retries.erase(endpoint.spec.name);
    return database.transaction([&](sql::Txn& txn) {
      return store::set_message(txn, endpoint.spec.name, EndpointState::kReady, "", clock.now_ms());
    });
  }
  // A version that failed is not tried again at once, unless another one is wanted now.
  const std::int64_t now_ns = clock.monotonic_ns();
  Retry& retry = retries[endpoint.spec.name];
  if (retry.wanted == *wanted && now_ns < retry.not_before_ns) return {};
  const auto deployed = deploy(ctx, endpoint, *wanted, Spec::kStored);
  if (deployed.ok() || deployed.error().code == Code::kCancelled) return {};
  Retry& next = retries[endpoint.spec.name];
  next.wait_ns = next.wanted == *wanted && next.wait_ns != 0
                     ? std::min(2 * next.wait_ns, kRetryMaxNs)
                     : kRetryFirstNs;
  next.wanted = *wanted;
  next.not_before_ns = now_ns + next.wait_ns;
  return note_failure(ctx, endpoint, deployed.error());
}

Result<void> Endpoints::State::reconcile_all(const Context& ctx) {
  TRY(const auto all, database.view([](sql::Reader& reader) { return store::list(reader); }));
  forget_removed(all);
  for (const auto& endpoint : all) TRY(reconcile_one(ctx, endpoint));
  looked_ns = clock.monotonic_ns();
  return {};
}

// What another server removed.
void Endpoints::State::forget_removed(const std::vector<Endpoint>& all) {
  std::vector<std::shared_ptr<const ServingVersion>> old;  // freed after the lock
  const std::unique_lock lock(slots_mutex);
  for (auto slot = slots.begin(); slot != slots.end();) {
    const bool is_there = std::any_of(all.begin(), all.end(), [&](const Endpoint& endpoint) {
      return endpoint.spec.name == slot->first;
    });
    if (!is_there) old.push_back(std::move(slot->second.serving));
    slot = is_there ? std::next(slot) : slots.erase(slot);
  }
}

// Events only say that something may have changed, in the registry or by another server of the
// database; what must be done follows from comparing what is wanted with what serves. So nothing is
// lost when an event is delivered twice, late, or while the process was down.
Result<void> Endpoints::State::follow_once(const Context& ctx) {
  constexpr std::array<std::string_view, 4> kKinds = {"registry.alias_moved", "endpoint.created",
                                                      "endpoint.deployed", "endpoint.removed"};
  TRY(const auto news, log.read_after(followed_event, 1'000, kKinds));
  const std::lock_guard control(control_mutex);
  const bool is_due = clock.monotonic_ns() - looked_ns >= kLookAgainNs;
  if (news.empty() && retries.empty() && !is_due) return {};
  TRY(reconcile_all(ctx));
  if (!news.empty()) followed_event = news.back().id;
  return {};
}

void Endpoints::State::follow(std::stop_token stop) {
  set_thread_name("serve-follow");
  const Context ctx{.caller = "serve"};
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    const auto done = follow_once(ctx);
    if (!done.ok())
      log::warn("endpoints cannot follow the registry", {{"error", done.error().message}});
    if (stop.stop_requested()) return;
    log.wait(seen, kFollowInterval);
  }
}

Result<Endpoint> Endpoints::put(const Context& ctx, const EndpointSpec& spec) {
  TRY(check_spec(spec));
  const std::lock_guard control(state_->control_mutex);
  TRY(const auto before,
      state_->database.view([&](sql::Reader& reader) { return store::find(reader, spec.name); }));
  Endpoint endpoint;
  if (before) endpoint = *before;
  endpoint.spec = spec;
  endpoint.updated_ms = state_->clock.now_ms();
  if (!before) {
    endpoint.created_ms = endpoint.updated_ms;
    TRY(state_->database.transaction([&](sql::Txn& txn) -> Result<void> {
      const auto stored = store::put(txn, ctx, endpoint);
      if (!stored.ok()) return stored;
      return state_->log.append(
          txn, ctx.workspace, "endpoint.created", spec.name,
          json::Value::object({{"endpoint", spec.name}, {"model", spec.model}}));
    }));
    const std::unique_lock lock(state_->slots_mutex);
    state_->slots[spec.name].counters = std::make_shared<ServingVersion::Counters>();
  }
  const auto deploy = [&]() -> Result<Endpoint> {
    TRY(const auto version, state_->wanted_version(ctx, spec));
    return state_->deploy(ctx, endpoint, version, State::Spec::kNew);
  };
  auto deployed = deploy();
  if (!deployed.ok() && !before) {
    state_->retries[spec.name];
    TRY(state_->note_failure(ctx, endpoint, deployed.error()));
  }
  return deployed;
}

Result<void> Endpoints::remove(const Context& ctx, std::string_view name) {
  const std::lock_guard control(state_->control_mutex);
  TRY(state_->database.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(const auto before, store::find(txn, name));
    if (!before) return not_found("there is no endpoint " + quoted(name));
    TRY(store::remove(txn, name));
    if (!before->serving_version.empty()) {
      TRY(store::add_deployment(txn, {.endpoint = std::string(name),
                                      .model = before->serving_model,
                                      .previous = before->serving_version,
                                      .time_ms = state_->clock.now_ms(),
                                      .caller = ctx.caller}));
    }
    return state_->log.append(txn, ctx.workspace, "endpoint.removed", name,
                              json::Value::object({{"endpoint", std::string(name)}}));
  }));
  state_->log.wake();
  std::shared_ptr<const ServingVersion> old;
  const std::unique_lock lock(state_->slots_mutex);
  const auto slot = state_->slots.find(name);
  if (slot == state_->slots.end()) return {};
  old = std::move(slot->second.serving);
  state_->slots.erase(slot);
  return {};
}

Result<Endpoint> Endpoints::get(const Context&, std::string_view name) {
  TRY(auto found,
      state_->database.view([&](sql::Reader& reader) { return store::find(reader, name); }));
  if (!found) return not_found("there is no endpoint " + quoted(name));
  return std::move(*found);
}

Result<std::vector<Endpoint>> Endpoints::list(const Context&) {
  return state_->database.view([](sql::Reader& reader) { return store::list(reader); });
}

Result<std::vector<Deployment>> Endpoints::deployments(const Context&, std::string_view name,
                                                       std::int64_t before, int limit) {
  return state_->database.view(
      [&](sql::Reader& reader) { return store::deployments(reader, name, before, limit); });
}

Result<std::vector<Deployment>> Endpoints::deployments_at(const Context&, std::int64_t time_ms) {
  return state_->database.view(
      [&](sql::Reader& reader) { return store::deployments_at(reader, time_ms); });
}

Result<std::vector<Deployment>> Endpoints::deployments_of(const Context&, std::string_view model,
                                                          int limit) {
  return state_->database.view(
      [&](sql::Reader& reader) { return store::deployments_of(reader, model, limit); });
}

EndpointStats Endpoints::stats(std::string_view name) const {
  std::shared_ptr<ServingVersion::Counters> counters;
  {
    const std::shared_lock lock(state_->slots_mutex);
    const auto slot = state_->slots.find(name);
    if (slot != state_->slots.end()) counters = slot->second.counters;
  }
  EndpointStats out;
  if (!counters) return out;
  out.requests = counters->requests;
  out.failures = counters->failures;
  out.rows = counters->rows;
  out.predicting_us = counters->predicting_us;
  for (std::size_t i = 0; i < out.duration_us.size(); ++i)
    out.duration_us[i] = counters->duration_us[i];
  return out;
}

Result<void> Endpoints::reconcile(const Context& ctx) {
  const std::lock_guard control(state_->control_mutex);
  return state_->reconcile_all(ctx);
}

Result<std::shared_ptr<const ServingVersion>> Endpoints::serving(std::string_view name) const {
  {
    const std::shared_lock lock(state_->slots_mutex);
    const auto slot = state_->slots.find(name);
    if (slot != state_->slots.end() && slot->second.serving) return slot->second.serving;
    if (slot != state_->slots.end()) {
      return unavailable("endpoint " + quoted(name) + " has no model loaded yet");
    }
  }
  return not_found("there is no endpoint " + quoted(name));
}

Result<std::shared_ptr<const ServingVersion>> Endpoints::loaded(const Context& ctx,
                                                                std::string_view name) {
  auto here = serving(name);
  if (here.ok() || here.error().code != Code::kNotFound) return here;
  TRY(get(ctx, name));
  return unavailable("endpoint " + quoted(name) + " has no model loaded on this server");
}

std::vector<std::string> Endpoints::names() const {
  std::vector<std::string> out;
  const std::shared_lock lock(state_->slots_mutex);
  for (const auto& [name, slot] : state_->slots) out.push_back(name);
  return out;
}

Result<Prediction> Endpoints::predict(const Context& ctx, std::string_view name, data::Batch rows,
                                      const PredictOptions& options) {
  TRY(const auto version, serving(name));
  return predict(ctx, version, std::move(rows), options);
}

Result<Prediction> Endpoints::predict(const Context& ctx,
                                      const std::shared_ptr<const ServingVersion>& serving,
                                      data::Batch rows, const PredictOptions& options) {
  const std::int64_t started_ns = state_->clock.monotonic_ns();
  ServingVersion::Counters& counters = *serving->counters;
  const auto run = [&]() -> Result<Prediction> {
    TRY(ctx.check_deadline(state_->clock));
    if (!options.version.empty() && options.version != serving->version) {
      return not_found("endpoint " + quoted(serving->endpoint) + " serves version " +
                       serving->version + ", not " + quoted(options.version));
    }
    const std::size_t count = rows.rows();
    if (count == 0) return invalid_argument("there are no rows to predict");
    const std::int64_t now_ms = state_->clock.now_ms();
    TRY(auto event_times_ms, event_times_for(count, options.event_times_ms, now_ms));
    Prediction out;
    TRY(set_inference_ids(out, count, options.inference_ids, state_->ids));
    TRY(out.outputs, serving->loaded->predict(rows));
    out.endpoint = serving->endpoint;
    out.model = serving->model;
    out.version = serving->version;
    if (serving->capture) {
      state_->capture.append_rows({.endpoint = out.endpoint,
                                   .model = out.model,
                                   .version = out.version,
                                   .time_ms = now_ms,
                                   .inference_ids = out.inference_ids,
                                   .event_times_ms = std::move(event_times_ms),
                                   .inputs = std::move(rows),
                                   .outputs = out.outputs});
    }
    counters.rows += count;
    return out;
  };
  auto prediction = run();
  if (prediction.ok()) {
    ++counters.requests;
    const auto us = static_cast<std::uint64_t>((state_->clock.monotonic_ns() - started_ns) / 1'000);
    counters.predicting_us += us;
    ++counters.duration_us[std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(us)),
                                                 counters.duration_us.size() - 1)];
  } else {
    ++counters.failures;
  }
  return prediction;
}

Result<LabelsAccepted> Endpoints::add_labels(const Context& ctx, std::string_view name,
                                             const std::vector<Label>& labels) {
  std::shared_ptr<const ServingVersion> version;
  {
    const std::shared_lock lock(state_->slots_mutex);
    const auto slot = state_->slots.find(name);
    if (slot == state_->slots.end()) return not_found("there is no endpoint " + quoted(name));
    version = slot->second.serving;
  }
  TRY(ctx.check_deadline(state_->clock));
  TRY(check_labels(labels, state_->clock.now_ms(), version.get()));
  return state_->capture.append_labels(std::string(name), labels);
}

}  // namespace ciclo::serve
