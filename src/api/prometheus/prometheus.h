// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "http/router.h"
#include "http/server.h"
#include "serve/capture.h"
#include "serve/endpoints.h"
#include "sql/database.h"

// GET /metrics: what this process has counted since it started, for Prometheus to scrape. The
// families are listed in docs/reference/api.md.

namespace ciclo::api::prometheus {

// All must outlive the router.
struct Sources {
  sql::Database& database;
  const serve::Endpoints& endpoints;
  const serve::Capture& capture;
  // nullopt: no server listens in this process. Called from several threads.
  std::function<std::optional<http::ServerStats>()> server;
  std::string version;
  std::int64_t started_ms = 0;
};

void add_routes(http::Router& router, const Sources& sources);

}  // namespace ciclo::api::prometheus
