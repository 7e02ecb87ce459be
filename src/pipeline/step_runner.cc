// SPDX-License-Identifier: Apache-2.0
#include "pipeline/step_runner.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "pipeline/process_step.h"

namespace ciclo::pipeline {
namespace {

// A log up to this size is kept in the database; a blob would cost it two more fsyncs.
constexpr std::uint64_t kInlineLogBytes = 8 << 10;
constexpr std::size_t kQueueMax = 100'000;
constexpr std::size_t kResolveThreads = 2;

using Properties = std::map<std::string, json::Value>;

// An output directory whose bytes are stored, but which no row names yet.
struct StoredOutput {
  std::string port;
  std::string type;
  lineage::Tree tree;
  json::Value properties;
};

Context context_of(const StepOrder& order) {
  Context context;
  context.workspace = order.workspace;
  context.caller = "pipeline";
  context.request_id = order.execution_id.str();
  return context;
}

Result<void> make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return file_error("make the directory", path, error.value());
  return {};
}

// Materialised inputs are read-only, directories too perhaps: permissions are given back first.
void remove_directory(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  if (ignored)
    log::warn("a scratch directory stays", {{"path", path.string()}, {"error", ignored.message()}});
}

}  // namespace

std::filesystem::path live_log_path(const std::filesystem::path& work,
                                    const ExecutionId& execution) {
  return work / execution.str() / "log";
}

// What all executions share.
class StepRunner::Shared {
 public:
  Shared(StepRunnerPorts ports_in, RunnerSink& sink_in, StepRunnerOptions options_in)
      : ports(ports_in), sink(sink_in), options(std::move(options_in)) {}

  // Registers the job of an execution so that stop() reaches it. False when it was stopped before.
  bool attach(const ExecutionId& execution, compute::Job& job) {
    const std::scoped_lock lock(mutex_);
    if (closing_ || stopped_.contains(execution)) return false;
    jobs_[execution] = &job;
    return true;
  }
  void detach(const ExecutionId& execution) {
    const std::scoped_lock lock(mutex_);
    jobs_.erase(execution);
  }
  void stop(const ExecutionId& execution) {
    const std::scoped_lock lock(mutex_);
    if (!known_.contains(execution)) return;
    stopped_.insert(execution);
    const auto job = jobs_.find(execution);
    if (job != jobs_.end()) job->second->cancel();
  }
  void begin(const ExecutionId& execution) {
    const std::scoped_lock lock(mutex_);
    known_.insert(execution);
  }
  void end(const ExecutionId& execution) {
    const std::scoped_lock lock(mutex_);
    known_.erase(execution);
    stopped_.erase(execution);
  }
  bool is_stopped(const ExecutionId& execution) const {
    const std::scoped_lock lock(mutex_);
    return closing_ || stopped_.contains(execution);
  }
  void close() {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
    for (auto& [execution, job] : jobs_) job->cancel();
  }

  const StepRunnerPorts ports;
  RunnerSink& sink;
  const StepRunnerOptions options;

 private:
  mutable std::mutex mutex_;
  std::map<ExecutionId, compute::Job*> jobs_;  // guarded by mutex_
  std::set<ExecutionId> known_;                // guarded by mutex_
  std::set<ExecutionId> stopped_;              // guarded by mutex_
  bool closing_ = false;                       // guarded by mutex_

 public:
  // Last, so that their threads end before what they use. Empty once the runner is closed.
  std::optional<WorkerPool> resolvers{std::in_place, "resolve", kResolveThreads, kQueueMax};
  std::optional<WorkerPool> runners{std::in_place, "step",
                                    static_cast<std::size_t>(options.parallel_max), kQueueMax};
};

// One attempt at a step, from its inputs to its outputs.
class StepRunner::Execution {
 public:
  Execution(Shared& shared, StepOrder order)
      : shared_(shared),
        order_(std::move(order)),
        context_(context_of(order_)),
        directory_(shared.options.work / order_.execution_id.str()) {}

  void run() {
    ExecutionResult result;
    result.execution_id = order_.execution_id;
    Result<void> done = prepare();
    if (done.ok()) done = kind_->runs_as == RunsAs::kProcess ? run_process(result) : run_service();
    if (done.ok()) done = store_outputs();
    keep_log(result.report);
    if (done.ok() && shared_.is_stopped(order_.execution_id)) {
      done = cancelled("the step was cancelled");
    }
    if (done.ok()) {
      if (kind_->commits || effect_ || !stored_.empty()) result.record = recorder();
    } else {
      result.end.error = done.error();
      result.end.state =
          shared_.is_stopped(order_.execution_id) ? State::kCancelled : State::kFailed;
    }
    if (observing_) shared_.ports.observer->ended(*run_, result.end.state, result.end.error);
    remove_directory(directory_);
    shared_.end(order_.execution_id);
    shared_.sink.ended(std::move(result));
  }

 private:
  Result<void> prepare() {
    const StepSpec& spec = order_.spec->steps[order_.step];
    kind_ = shared_.ports.catalog.find(spec.kind);
    if (kind_ == nullptr) return failed_precondition("kind " + quoted(spec.kind) + " is not known");
    run_ = std::make_shared<StepRun>();
    run_->pipeline_run_id = order_.pipeline_run_id;
    run_->execution_id = order_.execution_id;
    run_->pipeline = order_.spec->name;
    run_->workspace = order_.workspace;
    run_->attempt = order_.attempt;
    run_->spec = spec;
    run_->cause = order_.cause;
    run_->work = directory_ / "scratch";
    remove_directory(directory_);
    TRY(make_directory(directory_ / "in"));
    TRY(make_directory(run_->work));
    for (const OutputPort& port : kind_->outputs) {
      run_->outputs.emplace_back(port.name, directory_ / "out" / port.name);
      TRY(make_directory(run_->outputs.back().second));
    }
    for (const ResolvedInput& input : order_.inputs) TRY(fetch(input));
    return {};
  }

  Result<void> fetch(const ResolvedInput& input) {
    const lineage::ArtifactId id(input.artifact_id);
    TRY(const auto artifact, shared_.ports.lineage.artifact(context_, id));
    TRY(const auto tree, shared_.ports.lineage.tree(context_, id));
    const std::filesystem::path directory = directory_ / "in" / input.port;
    TRY(shared_.ports.lineage.materialise(context_, tree, directory));
    run_->inputs.push_back({.port = input.port,
                            .artifact_id = input.artifact_id,
                            .hash = artifact.hash,
                            .type = artifact.type,
                            .properties = artifact.properties,
                            .directory = directory});
    return {};
  }

  Result<void> run_process(ExecutionResult& result) {
    TRY(const StepCommand command, shared_.ports.catalog.command(context_, *run_));
    TRY(compute::JobSpec job, process_job(*run_, command, directory_));
    job.log_bytes_max = shared_.options.log_bytes_max;
    job.grace_ms = shared_.options.grace_ms;
    observing_ = shared_.ports.observer != nullptr;
    if (observing_) shared_.ports.observer->started(*run_);
    Listener listener(*run_, shared_.ports.observer, [this](const Progress& progress) {
      shared_.sink.progressed(order_.execution_id, progress);
    });
    const auto process = shared_.ports.launcher.start(
        std::move(job), [&](std::string_view line) { listener.hear(line); });
    if (!shared_.attach(order_.execution_id, *process)) process->cancel();
    std::optional<compute::JobEnd> end;
    while (!end) {
      end = process->wait_for(Listener::kFlushMs);
      listener.flush();
    }
    shared_.detach(order_.execution_id);
    result.report.user_cpu_ms = end->usage.user_cpu_ms;
    result.report.system_cpu_ms = end->usage.system_cpu_ms;
    result.report.rss_bytes_max = end->usage.rss_bytes_max;
    properties_ = listener.properties();
    return outcome(*end, listener.error(), directory_ / "log");
  }

  Result<void> run_service() {
    if (shared_.is_stopped(order_.execution_id)) return cancelled("the step was cancelled");
    TRY(ServiceResult result, shared_.ports.catalog.run_service(context_, *run_));
    for (auto& [port, properties] : result.properties) properties_[port] = std::move(properties);
    effect_ = std::move(result.effect);
    return {};
  }

  // Bytes only; the rows follow in the transaction that records the success.
  Result<void> store_outputs() {
    for (const OutputPort& port : kind_->outputs) {
      TRY(lineage::Tree tree,
          shared_.ports.lineage.store_directory(context_, run_->output(port.name)));
      const auto properties = properties_.find(port.name);
      if (tree.files.empty()) {
        if (kind_->runs_as == RunsAs::kService && properties == properties_.end()) continue;
        if (kind_->runs_as == RunsAs::kProcess) {
          return failed_precondition("the step ended well but left no file on its output " +
                                     quoted(port.name));
        }
      }
      stored_.push_back({.port = port.name,
                         .type = port.type,
                         .tree = std::move(tree),
                         .properties = properties == properties_.end() ? json::Value::object()
                                                                       : properties->second});
    }
    return {};
  }

  void keep_log(ExecutionReport& report) {
    const std::filesystem::path path = directory_ / "log";
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error || size == 0) return;
    report.log_bytes = static_cast<std::int64_t>(size);
    if (size <= kInlineLogBytes) {
      if (auto text = read_file(path); text.ok()) report.log = std::move(text).value();
    } else if (auto stored = shared_.ports.blobs.put_file(path.string()); stored.ok()) {
      report.log_blob = stored->hash;
    } else {
      log::error("the log of an execution is lost",
                 {{"execution_id", order_.execution_id.str()}, {"error", stored.error().message}});
    }
  }

  // Owns copies of all it uses: it runs after this object is gone, perhaps several times.
  std::function<Result<std::vector<Output>>(sql::Txn&)> recorder() {
    return [&lineage = shared_.ports.lineage, &catalog = shared_.ports.catalog,
            &clock = shared_.ports.clock, context = context_, run = run_, stored = stored_,
            effect = effect_, commits = kind_->commits,
            started_ms = started_ms_](sql::Txn& txn) -> Result<std::vector<Output>> {
      lineage::Execution execution;
      execution.execution_id = run->execution_id;
      execution.kind = run->spec.kind;
      execution.name = run->spec.name;
      execution.state = "succeeded";
      execution.properties = json::Value::object({{"pipeline", run->pipeline},
                                                  {"pipeline_run_id", run->pipeline_run_id.str()},
                                                  {"parameters", run->spec.parameters}});
      execution.started_ms = started_ms;
      execution.ended_ms = clock.now_ms();
      for (const InputArtifact& input : run->inputs) {
        execution.inputs.push_back({input.port, lineage::ArtifactId(input.artifact_id)});
      }
      std::vector<Output> outputs;
      for (const StoredOutput& output : stored) {
        TRY(const auto artifact,
            lineage.add_artifact(context, txn, output.type, output.tree, output.properties));
        execution.outputs.push_back({output.port, artifact.artifact_id});
        outputs.push_back({.port = output.port,
                           .artifact_id = artifact.artifact_id.str(),
                           .hash = artifact.hash,
                           .properties = output.properties});
      }
      TRY(lineage.add_execution(context, txn, std::move(execution)));
      if (effect) TRY(effect(txn));
      if (commits) TRY(catalog.committed(txn, *run, outputs));
      return outputs;
    };
  }

  Shared& shared_;
  const StepOrder order_;
  const Context context_;
  const std::filesystem::path directory_;
  const std::int64_t started_ms_ = shared_.ports.clock.now_ms();
  const StepKind* kind_ = nullptr;
  std::shared_ptr<StepRun> run_;  // shared with the recorder, which outlives this
  bool observing_ = false;
  Properties properties_;
  std::function<Result<void>(sql::Txn&)> effect_;
  std::vector<StoredOutput> stored_;
};

StepRunner::StepRunner(StepRunnerPorts ports, RunnerSink& sink, StepRunnerOptions options)
    : shared_(std::make_unique<Shared>(ports, sink, std::move(options))) {}

StepRunner::~StepRunner() { close(); }

void StepRunner::close() {
  shared_->close();
  shared_->resolvers.reset();
  shared_->runners.reset();
}

void StepRunner::resolve(StepOrder order) {
  const auto refused = [&](const StepOrder& refused_order) {
    shared_->sink.resolved(refused_order.pipeline_run_id, refused_order.step,
                           resource_exhausted("too many steps wait to be resolved"));
  };
  const auto shared_order = std::make_shared<const StepOrder>(std::move(order));
  const bool taken = shared_->resolvers->try_submit([&shared = *shared_, shared_order] {
    shared.sink.resolved(
        shared_order->pipeline_run_id, shared_order->step,
        resolve_step(context_of(*shared_order), shared.ports.database, shared.ports.lineage,
                     shared.ports.catalog, shared_order->spec->name,
                     shared_order->spec->steps[shared_order->step], shared_order->inputs));
  });
  if (!taken) refused(*shared_order);
}

void StepRunner::start(StepOrder order) {
  const ExecutionId id = order.execution_id;
  shared_->begin(id);
  const auto execution = std::make_shared<Execution>(*shared_, std::move(order));
  if (shared_->runners->try_submit([execution] { execution->run(); })) return;
  shared_->end(id);
  ExecutionResult result;
  result.execution_id = id;
  result.end = {.state = State::kFailed, .error = resource_exhausted("too many steps wait to run")};
  shared_->sink.ended(std::move(result));
}

void StepRunner::stop(const ExecutionId& execution) { shared_->stop(execution); }

Result<void> StepRunner::discard(const std::vector<Leftover>& leftovers) {
  std::vector<std::string> names;
  for (const Leftover& leftover : leftovers) names.push_back(leftover.execution_id.str());
  TRY(shared_->ports.launcher.end_leftovers(names));
  for (const std::string& name : names) remove_directory(shared_->options.work / name);
  if (shared_->ports.observer == nullptr) return {};
  for (const Leftover& leftover : leftovers) shared_->ports.observer->discarded(leftover);
  return {};
}

}  // namespace ciclo::pipeline
