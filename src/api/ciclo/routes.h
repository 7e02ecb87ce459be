// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"
#include "blob/store.h"
#include "data/datasets.h"
#include "events/log.h"
#include "events/webhooks.h"
#include "http/live_streams.h"
#include "http/router.h"
#include "lineage/lineage.h"
#include "monitor/monitor.h"
#include "pipeline/engine.h"
#include "pipeline/pipeline.h"
#include "pipeline/triggers.h"
#include "registry/history.h"
#include "registry/registry.h"
#include "retention/collections.h"
#include "serve/capture.h"
#include "serve/endpoints.h"
#include "sql/database.h"
#include "steps/projects.h"
#include "tracking/comments.h"
#include "tracking/tracking.h"

// The native REST API, /api/v1: docs/reference/api.md describes every call.

namespace ciclo::api::native {

// All must outlive the router.
struct Services {
  sql::Database& database;
  blob::Store& blobs;
  events::Log& events;
  Clock& clock;
  lineage::Lineage& lineage;
  data::DataSets& data_sets;
  tracking::Tracking& tracking;
  tracking::Comments& comments;
  registry::Registry& registry;
  registry::History& history;
  pipeline::Pipelines& pipelines;
  pipeline::Triggers& triggers;
  steps::Projects& projects;
  serve::Endpoints& endpoints;
  serve::Capture& capture;
  monitor::Monitor& monitor;
  http::LiveStreams& live;
  events::Webhooks& webhooks;
  retention::Collections& collections;
  std::int64_t started_ms = 0;
};

void add_routes(http::Router& router, const Services& services);

// One group of calls each.
void add_status_routes(http::Router& router, const Services& services);
void add_blob_routes(http::Router& router, const Services& services);
void add_project_routes(http::Router& router, const Services& services);
void add_pipeline_routes(http::Router& router, const Services& services);
void add_data_routes(http::Router& router, const Services& services);
void add_endpoint_routes(http::Router& router, const Services& services);
void add_monitor_routes(http::Router& router, const Services& services);
void add_event_routes(http::Router& router, const Services& services);
void add_webhook_routes(http::Router& router, const Services& services);
void add_lineage_routes(http::Router& router, const Services& services);
void add_run_routes(http::Router& router, const Services& services);
void add_comment_routes(http::Router& router, const Services& services);
void add_model_routes(http::Router& router, const Services& services);
void add_gc_routes(http::Router& router, const Services& services);

}  // namespace ciclo::api::native
