// SPDX-License-Identifier: Apache-2.0
#include "app/platform.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "api/ciclo/routes.h"
#include "api/invocations/invocations.h"
#include "api/mlflow/routes.h"
#include "api/oip/oip.h"
#include "api/prometheus/prometheus.h"
#include "api/ui/routes.h"
#include "app/root.h"
#include "app/webhook_ports.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/program.h"
#include "base/random.h"
#include "base/version.h"
#include "blob/remote.h"
#include "blob/store.h"
#include "compute/process.h"
#include "data/datasets.h"
#include "data/engine.h"
#include "events/log.h"
#include "events/webhooks.h"
#include "http/live_streams.h"
#include "lineage/lineage.h"
#include "monitor/monitor.h"
#include "monitor/package_reference.h"
#include "pipeline/engine.h"
#include "pipeline/pipeline.h"
#include "pipeline/step_runner.h"
#include "pipeline/triggers.h"
#include "registry/history.h"
#include "registry/registry.h"
#include "retention/collections.h"
#include "retention/collector.h"
#include "retention/policies.h"
#include "serve/capture.h"
#include "serve/endpoints.h"
#include "serve/package_model.h"
#include "serve/shared_capture.h"
#include "sql/database.h"
#include "sql/key_expiry.h"
#include "steps/catalog.h"
#include "steps/model_runs.h"
#include "steps/projects.h"
#include "tracking/artifacts.h"
#include "tracking/comments.h"
#include "tracking/logged_models.h"
#include "tracking/traces.h"
#include "tracking/tracking.h"

namespace ciclo::app {
namespace {

monitor::Options monitor_options(const PlatformOptions& options) {
  monitor::Options chosen;
  chosen.poll_ms = options.monitor_poll_ms;
  return chosen;
}

serve::CaptureOptions capture_options(const PlatformOptions& options) {
  serve::CaptureOptions chosen = options.capture;
  chosen.root = options.root / "capture";
  return chosen;
}

data::EngineOptions engine_options(const PlatformOptions& options) {
  data::EngineOptions chosen;
  chosen.memory_bytes_max = options.table_memory_bytes_max;
  chosen.threads = options.table_threads;
  chosen.spill_directory = (options.root / "work" / "spill").string();
  return chosen;
}

// Who we are among the servers of a database; the root is locked, so nobody else is. The machine's
// name and the path are for people, and for roots that were copied with their ids.
std::string name_of_server(const PlatformOptions& options, const std::string& root_id) {
  std::array<char, 256> machine{};
  if (::gethostname(machine.data(), machine.size() - 1) != 0) machine[0] = '\0';
  return std::string(machine.data()) + ":" + options.root.string() + ":" + root_id;
}

events::WebhookOptions webhook_options(const PlatformOptions& options, const std::string& owner) {
  events::WebhookOptions chosen = options.webhooks;
  chosen.owner = owner;
  return chosen;
}

// Only where there may be other servers, and a store that they share.
std::unique_ptr<serve::SharedCapture> shared_capture(const PlatformOptions& options,
                                                     const std::string& root_id,
                                                     sql::Database& database, blob::Store& blobs,
                                                     serve::Capture& capture, Random& random) {
  if (database.engine() != sql::Engine::kPostgres || blob::remote_of(blobs) == nullptr) {
    return nullptr;
  }
  serve::SharedCaptureOptions chosen = options.shared_capture;
  chosen.server = root_id;
  return std::make_unique<serve::SharedCapture>(database, blobs, capture, random, chosen);
}

WebhookReach webhook_reach(const PlatformOptions& options) {
  WebhookReach chosen = options.webhook_reach;
  chosen.timeout = options.webhooks.timeout;
  return chosen;
}

pipeline::StepRunnerOptions runner_options(const PlatformOptions& options) {
  pipeline::StepRunnerOptions chosen;
  chosen.work = options.root / "work" / "steps";
  chosen.parallel_max = options.pipeline_parallel_max;
  return chosen;
}

}  // namespace

// In the order of construction: each uses only those above it.
struct Platform::Services {
  Services(const PlatformOptions& options, Root opened)
      : lock(std::move(opened.lock)),
        name(name_of_server(options, opened.id)),
        database(std::move(opened.database)),
        blobs(std::move(opened.blobs)),
        keys(*database, clock, options.keys_kept),
        ids(clock, random),
        events(*database, clock),
        webhook_posts(webhook_sender(random, webhook_reach(options))),
        webhook_keys(webhook_secrets(random, options.webhook_key)),
        webhooks(*database, events, clock, random, ids, *webhook_posts, *webhook_keys,
                 webhook_options(options, name)),
        lineage(*database, *blobs, clock, ids),
        table_engine(clock, engine_options(options)),
        data_sets(*database, events, clock, *blobs, table_engine,
                  (options.root / "work" / "data").string()),
        tracking(*database, clock, ids, random),
        logged_models(*database, clock, ids, random),
        traces(*database, clock, ids),
        artifacts(*database, *blobs, clock),
        comments(*database, events, clock, ids),
        registry(*database, events, clock),
        history(*database),
        model_runs(tracking, lineage, artifacts),
        catalog({options.program, options.root / "capture", program_build()}, *blobs, lineage,
                data_sets, artifacts, registry, model_runs),
        launcher(compute::process_launcher(clock)),
        engine(*database, events, clock, random, ids,
               {.parallel_max = options.pipeline_parallel_max,
                .owner = name,
                .on_active = [this](bool active) { watch(active); }}),
        runner({*database, *blobs, lineage, *launcher, clock, catalog, &model_runs}, engine,
               runner_options(options)),
        pipelines(*database, events, *blobs, lineage, catalog, engine, clock, ids,
                  (options.root / "work" / "steps").string()),
        model_source(registry, artifacts, options.root / "cache"),
        capture(capture_options(options), clock),
        shared(shared_capture(options, opened.id, *database, *blobs, capture, random)),
        endpoints(*database, events, clock, ids, model_source, capture),
        references(model_source, registry, tracking, lineage, *blobs),
        monitor(*database, events, clock, endpoints, capture, references, monitor_options(options)),
        projects(*database, clock, data_sets, pipelines, endpoints),
        triggers(*database, events, pipelines, engine, projects, clock),
        collector(*database, *blobs, events, clock),
        collections(collector, clock, ids),
        policies(collections, *database, clock, options.retention),
        live(clock, [this](auto time) { events.wait(events_seen, time); }) {
    catalog.set_endpoints(&endpoints);
    model_runs.set_pipelines(&pipelines);
    add_routes();
  }

  // A step that runs may be deploying: the runner's threads end before the endpoints, which were
  // constructed after it, because the catalog knows them only through set_endpoints.
  ~Services() {
    policies.stop();
    collections.stop();
    webhooks.stop_threads();
    keys.stop_thread();
    triggers.stop_thread();
    engine.stop_thread();
    monitor.stop();
    runner.close();
    // What it drove has ended here, so that nothing is done twice when another follows.
    engine.release();
    endpoints.stop();
    if (shared) shared->stop_thread();
  }

  // Of the servers that share a database, the one that drives the pipelines watches the endpoints.
  void watch(bool active) {
    if (active) {
      monitor.start();
    } else {
      monitor.stop();
    }
  }

  void add_routes() {
    const api::native::Services native{*database, *blobs,   events,   clock,       lineage,
                                       data_sets, tracking, comments, registry,    history,
                                       pipelines, triggers, projects, endpoints,   capture,
                                       monitor,   live,     webhooks, collections, clock.now_ms()};
    api::native::add_routes(router, native);
    api::mlflow::add_routes(
        router, {tracking, logged_models, traces, artifacts, registry, webhooks, *blobs});
    api::oip::add_routes(router, endpoints, std::string(kVersion));
    api::invocations::add_routes(router, endpoints);
    api::prometheus::add_routes(router,
                                {*database, endpoints, capture, [this] { return observed.stats(); },
                                 std::string(kVersion), clock.now_ms()});
    api::ui::add_routes(router);
    router.add("GET", "/health",
               [](http::Request&, http::Reply reply) {
                 reply.send(http::Response::json("{\"status\":\"ok\"}"));
               },
               {.run_on = http::RunOn::kLoop});
  }

  RootLock lock;
  const std::string name;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<blob::Store> blobs;
  sql::KeyExpiry keys;
  IdSource ids;
  events::Log events;
  std::unique_ptr<events::Sender> webhook_posts;
  std::unique_ptr<events::Secrets> webhook_keys;
  events::Webhooks webhooks;
  lineage::Lineage lineage;
  data::Engine table_engine;
  data::DataSets data_sets;
  tracking::Tracking tracking;
  tracking::LoggedModels logged_models;
  tracking::Traces traces;
  tracking::Artifacts artifacts;
  tracking::Comments comments;
  registry::Registry registry;
  registry::History history;
  steps::ModelRuns model_runs;
  steps::Catalog catalog;
  std::unique_ptr<compute::Launcher> launcher;
  pipeline::Engine engine;
  pipeline::StepRunner runner;
  pipeline::Pipelines pipelines;
  serve::PackageSource model_source;
  serve::Capture capture;
  std::unique_ptr<serve::SharedCapture> shared;  // null: nobody to share with
  serve::Endpoints endpoints;
  monitor::PackageReferences references;
  monitor::Monitor monitor;
  steps::Projects projects;
  pipeline::Triggers triggers;
  retention::Collector collector;
  retention::Collections collections;
  retention::Policies policies;
  std::uint64_t events_seen = 0;  // by the thread of `live`
  http::LiveStreams live;
  ObservedServer observed;
  http::Router router;
};

Platform::Platform(std::unique_ptr<Services> services) : services_(std::move(services)) {}

Platform::~Platform() = default;

Result<std::unique_ptr<Platform>> Platform::open(const PlatformOptions& given) {
  PlatformOptions options = given;
  TRY(Root root,
      open_root({given.root, given.database_url, given.database, given.blobs_url, given.blobs}));
  options.root = root.path;
  return std::unique_ptr<Platform>(
      new Platform(std::make_unique<Services>(options, std::move(root))));
}

Result<void> Platform::start() {
  TRY(services_->endpoints.start());
  TRY(const bool drives, services_->engine.open_if_free(services_->runner));
  if (!drives)
    log::info("another server drives the pipelines of this database; this one stands by");
  services_->engine.start_thread();
  if (services_->shared) services_->shared->start_thread();
  services_->triggers.start_thread();
  services_->policies.start_thread();
  services_->keys.start_thread();
  return services_->webhooks.start_threads();
}

const http::Router& Platform::router() const { return services_->router; }

ObservedServer& Platform::observed() { return services_->observed; }

}  // namespace ciclo::app
