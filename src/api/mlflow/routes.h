// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "blob/store.h"
#include "events/webhooks.h"
#include "http/router.h"
#include "registry/registry.h"
#include "tracking/artifacts.h"
#include "tracking/logged_models.h"
#include "tracking/traces.h"
#include "tracking/tracking.h"

// MLflow's REST protocol (3.17) over tracking and registry: /api/2.0/mlflow/…, the same under
// /ajax-api, the artifact proxy /api/2.0/mlflow-artifacts/…, /get-artifact,
// /model-versions/get-artifact and /api/3.0/mlflow/server-info: what the unmodified `mlflow` client
// needs for experiments, runs, metrics, artifacts, models and webhooks. /version and /health are
// the program's.

namespace ciclo::api::mlflow {

// Borrowed; all must outlive the router's server.
struct Services {
  tracking::Tracking& tracking;
  tracking::LoggedModels& logged_models;
  tracking::Traces& traces;
  tracking::Artifacts& artifacts;
  registry::Registry& registry;
  events::Webhooks& webhooks;
  blob::Store& blobs;
};

void add_routes(http::Router& router, const Services& services);

}  // namespace ciclo::api::mlflow
