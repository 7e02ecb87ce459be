// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "app/observed_server.h"
#include "app/webhook_ports.h"
#include "base/result.h"
#include "blob/open.h"
#include "events/webhooks.h"
#include "http/crypto.h"
#include "http/router.h"
#include "retention/policies.h"
#include "serve/capture.h"
#include "serve/shared_capture.h"
#include "sql/open.h"

namespace ciclo::app {

struct PlatformOptions {
  std::filesystem::path root;  // made when it is missing
  std::string database_url;    // empty: ROOT/ciclo.db
  sql::OpenOptions database;
  std::string blobs_url;          // empty: ROOT/blobs
  blob::OpenOptions blobs;        // its cache is ROOT/cache/blobs, whatever is said here
  std::filesystem::path program;  // this binary, which steps are started from
  std::size_t table_memory_bytes_max = std::size_t{1} << 30;
  int table_threads = 2;
  std::chrono::milliseconds keys_kept{86'400'000};  // of calls that may be sent again
  serve::CaptureOptions capture;               // its root is ROOT/capture, whatever is said here
  serve::SharedCaptureOptions shared_capture;  // its server is the root's id, likewise
  int pipeline_parallel_max = 2;
  std::int64_t monitor_poll_ms = 1'000;
  retention::PolicyOptions retention;
  events::WebhookOptions webhooks;  // its owner is this machine and root, whatever is said here
  WebhookReach webhook_reach;       // its timeout is that of `webhooks`
  std::optional<http::SealKey> webhook_key;  // none: secrets are stored as they are
};

// All services of a platform over one root directory, wired together, with the routes of all
// protocols. The only place that constructs services. Destroying it stops everything in order.
class Platform {
 public:
  // Opens or makes the root and brings the database to the newest schema. failed_precondition when
  // another platform works on the same root.
  static Result<std::unique_ptr<Platform>> open(const PlatformOptions& options);
  ~Platform();

  // Continues what a stop or crash interrupted, and starts the threads that run pipelines, follow
  // the registry, watch endpoints and fire triggers.
  Result<void> start();

  const http::Router& router() const;

  // Whose counters GET /metrics shows.
  ObservedServer& observed();

 private:
  struct Services;
  explicit Platform(std::unique_ptr<Services> services);
  std::unique_ptr<Services> services_;
};

}  // namespace ciclo::app
