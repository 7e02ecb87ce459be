// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"
#include "events/log.h"
#include "serve/capture.h"
#include "serve/model.h"
#include "sql/database.h"

// Endpoints: stable names under which model versions serve. An endpoint names a model and either an
// alias, which it follows (registry.alias_moved), or a fixed version. A new version is loaded,
// checked, warmed and only then swapped in; a request runs to its end on the version it began with;
// an old version is freed on a thread of its own after its last request. What serves stands in the
// database, so that a restart serves the same. Safe to share between threads.

namespace ciclo::serve {

struct EndpointSpec {
  std::string name;  // 1 to 64 of A-Z a-z 0-9 _ - . , not beginning with a dot
  std::string model;
  std::string alias = "champion";  // followed; empty when `version` is given
  std::string version;             // fixed; empty when `alias` is followed
  bool capture = true;             // keep the predictions for the monitor
  json::Value monitor;             // read by monitor; null: not watched

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("model", model);
    v.or_default("alias", alias);
    v.or_default("version", version);
    v.or_default("capture", capture);
    v.or_default("monitor", monitor);
  }
};

// pending → ready; ready stays ready while a new version is loaded and when that fails: the old one
// goes on. failed: nothing could be loaded yet.
enum class EndpointState { kPending, kReady, kFailed };
std::string_view state_name(EndpointState state);

struct Endpoint {
  EndpointSpec spec;
  EndpointState state = EndpointState::kPending;
  std::string serving_model;  // empty when nothing serves
  std::string serving_version;
  std::string message;  // why the version wanted is not the one serving
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
};

// One line of the append-only history of what served.
struct Deployment {
  std::int64_t id = 0;
  std::string endpoint;
  std::string model;
  std::string version;   // empty: the endpoint was removed
  std::string previous;  // empty for the first
  std::int64_t time_ms = 0;
  std::string caller;  // empty: not known
};

struct EndpointStats {
  std::uint64_t requests = 0;  // answered with predictions
  std::uint64_t failures = 0;
  std::uint64_t rows = 0;
  std::uint64_t predicting_us = 0;  // of all requests that were answered
  // Requests by duration in process: bucket i counts those below 2^i µs and not below the one
  // before.
  std::array<std::uint64_t, 24> duration_us{};
};

struct PredictOptions {
  // One a row; or one for the request, which becomes ID-0, ID-1, … when there are several rows; or
  // none: made here. At most 256 bytes each, no two alike in a request.
  std::vector<std::string> inference_ids;
  // When what is predicted about happens, ms since the epoch: one a row, one for all, or none: now.
  // Between 1970 and one day from now.
  std::vector<std::int64_t> event_times_ms;
  // Refused with not_found unless this version serves; empty: whichever serves.
  std::string version;
};

struct Prediction {
  std::string endpoint;
  std::string model;
  std::string version;
  // The id of the request, of which those of its rows are made; empty when the caller gave one a
  // row.
  std::string inference_id;
  std::vector<std::string> inference_ids;  // one a row
  data::Batch outputs;
};

// A version that serves, as protocols see it. Holding one keeps the version in memory.
struct ServingVersion {
  std::string endpoint;
  std::string model;
  std::string version;
  bool capture = true;
  std::unique_ptr<const Model> loaded;

  struct Counters;
  std::shared_ptr<Counters> counters;  // of the endpoint; shared by its versions
};

class Endpoints {
 public:
  // All must outlive the endpoints.
  Endpoints(sql::Database& database, events::Log& log, Clock& clock, IdSource& ids,
            ModelSource& source, Capture& capture);
  ~Endpoints();
  Endpoints(const Endpoints&) = delete;
  Endpoints& operator=(const Endpoints&) = delete;

  // Loads what served before the last stop, then follows the registry on a thread. An endpoint
  // whose version cannot be loaded is failed and tried again; the others serve.
  Result<void> start();
  void stop();

  // Makes the endpoint, or changes it to the spec, and loads its version before it returns. When
  // the load fails: the endpoint is kept, as it was if it served, and the error is returned.
  Result<Endpoint> put(const Context& ctx, const EndpointSpec& spec);
  // Captured predictions stay on disk.
  Result<void> remove(const Context& ctx, std::string_view name);
  Result<Endpoint> get(const Context& ctx, std::string_view name);
  Result<std::vector<Endpoint>> list(const Context& ctx);
  // Newest first, at most `limit`, older than `before` when it is not 0.
  Result<std::vector<Deployment>> deployments(const Context& ctx, std::string_view name,
                                              std::int64_t before, int limit);
  // What each endpoint served at the end of that millisecond, one of each that served then.
  Result<std::vector<Deployment>> deployments_at(const Context& ctx, std::int64_t time_ms);
  // Of a model, newest first, at most `limit`.
  Result<std::vector<Deployment>> deployments_of(const Context& ctx, std::string_view model,
                                                 int limit);
  EndpointStats stats(std::string_view name) const;

  // Makes each endpoint serve the version its spec wants now. What the following thread does at
  // each registry.alias_moved; callers that have moved an alias may wait here for the swap.
  Result<void> reconcile(const Context& ctx);

  // Predicts and hands the rows to the capture. not_found: no such endpoint or version;
  // unavailable: nothing is loaded yet; otherwise what the model says of the rows.
  Result<Prediction> predict(const Context& ctx, std::string_view name, data::Batch rows,
                             const PredictOptions& options = {});
  // The same for a handle taken before, so that a protocol reads the body by the signature of the
  // very version that predicts.
  Result<Prediction> predict(const Context& ctx,
                             const std::shared_ptr<const ServingVersion>& serving, data::Batch rows,
                             const PredictOptions& options = {});

  // The version that serves; not_found or unavailable as for predict.
  Result<std::shared_ptr<const ServingVersion>> serving(std::string_view name) const;
  // The same for whoever can wait until it serves here: unavailable also for an endpoint that
  // another server of the database serves and this one does not (yet). Asks the database.
  Result<std::shared_ptr<const ServingVersion>> loaded(const Context& ctx, std::string_view name);
  // Names of all endpoints known to this process, ready or not, sorted.
  std::vector<std::string> names() const;
  // True once `start` has returned and every endpoint that served before serves again.
  bool is_ready() const;

  // The labels of inferences of an existing endpoint; durable when answered. All are refused with
  // invalid_argument when one is none that the serving version can have (train::label_number).
  Result<LabelsAccepted> add_labels(const Context& ctx, std::string_view name,
                                    const std::vector<Label>& labels);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The module's migrations.
std::span<const sql::Migration> schema();

}  // namespace ciclo::serve
