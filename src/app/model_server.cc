// SPDX-License-Identifier: Apache-2.0
#include "app/model_server.h"

#include <utility>

#include "api/invocations/invocations.h"
#include "api/oip/oip.h"
#include "api/prometheus/prometheus.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/random.h"
#include "base/version.h"
#include "events/log.h"
#include "serve/capture.h"
#include "serve/endpoints.h"
#include "serve/package_model.h"
#include "sql/database.h"
#include "train/package.h"

namespace ciclo::app {
namespace {

constexpr std::string_view kVersionNumber = "1";

// The one package that was named, as the only version of the only model.
class OnePackage final : public serve::ModelSource {
 public:
  explicit OnePackage(train::Package package) : package_(std::move(package)) {}

  Result<std::string> resolve(const Context&, std::string_view, std::string_view) override {
    return std::string(kVersionNumber);
  }
  Result<std::unique_ptr<serve::Model>> load(const Context&, std::string_view,
                                             std::string_view) override {
    return serve::package_model(package_);
  }

 private:
  const train::Package package_;
};

serve::CaptureOptions capture_below(const std::filesystem::path& directory) {
  serve::CaptureOptions options;
  options.root = directory / "capture";
  return options;
}

}  // namespace

// Endpoints keep their state in a database; this one lives as long as the process.
struct ModelServer::Services {
  Services(train::Package package, std::unique_ptr<TemporaryDirectory> made,
           std::unique_ptr<sql::Database> opened)
      : directory(std::move(made)),
        database(std::move(opened)),
        ids(clock, random),
        events(*database, clock),
        source(std::move(package)),
        capture(capture_below(directory->path()), clock),
        endpoints(*database, events, clock, ids, source, capture) {
    api::oip::add_routes(router, endpoints, std::string(kVersion));
    api::invocations::add_routes(router, endpoints);
    api::prometheus::add_routes(router,
                                {*database, endpoints, capture, [this] { return observed.stats(); },
                                 std::string(kVersion), clock.now_ms()});
    router.add("GET", "/health",
               [](http::Request&, http::Reply reply) {
                 reply.send(http::Response::json("{\"status\":\"ok\"}"));
               },
               {.run_on = http::RunOn::kLoop});
  }
  ~Services() { endpoints.stop(); }

  std::unique_ptr<TemporaryDirectory> directory;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<sql::Database> database;
  IdSource ids;
  events::Log events;
  OnePackage source;
  serve::Capture capture;
  serve::Endpoints endpoints;
  ObservedServer observed;
  http::Router router;
};

ModelServer::ModelServer(std::unique_ptr<Services> services) : services_(std::move(services)) {}

ModelServer::~ModelServer() = default;

Result<std::unique_ptr<ModelServer>> ModelServer::open(const std::filesystem::path& package,
                                                       const std::string& name) {
  TRY(train::Package loaded, train::Package::load(package));
  auto directory = std::make_unique<TemporaryDirectory>();
  TRY(auto database, sql::open("sqlite:" + (directory->path() / "endpoints.db").string()));
  std::vector<sql::Migration> migrations(events::schema().begin(), events::schema().end());
  migrations.insert(migrations.end(), serve::schema().begin(), serve::schema().end());
  TRY(sql::migrate(*database, migrations));
  std::unique_ptr<ModelServer> server(new ModelServer(
      std::make_unique<Services>(std::move(loaded), std::move(directory), std::move(database))));
  TRY(server->services_->endpoints.start());
  serve::EndpointSpec spec;
  spec.name = name;
  spec.model = name;
  spec.alias.clear();
  spec.version = kVersionNumber;
  spec.capture = false;
  TRY(server->services_->endpoints.put(Context(), spec));
  return server;
}

const http::Router& ModelServer::router() const { return services_->router; }

ObservedServer& ModelServer::observed() { return services_->observed; }

}  // namespace ciclo::app
