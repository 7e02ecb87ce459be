// SPDX-License-Identifier: Apache-2.0
#include "tracking/trace_rows.h"

#include <set>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/text.h"
#include "sql/dialect.h"
#include "tracking/store.h"

namespace ciclo::tracking {

Result<store::TraceRow> required_trace(sql::Reader& reader, const Context& context,
                                       const TraceId& id) {
  TRY(auto found, store::find_trace(reader, context.workspace, id));
  if (!found) return not_found("no trace with id " + quoted(id.str()) + " exists");
  return std::move(*found);
}

Result<Experiment> active_experiment(sql::Reader& reader, const Context& context,
                                     const ExperimentId& id) {
  TRY(const std::int64_t number, store::experiment_number(id));
  TRY(auto experiment, store::find_experiment_row(reader, context.workspace, number));
  if (!experiment) return not_found("no experiment with id " + quoted(id.str()) + " exists");
  if (experiment->lifecycle_stage != LifecycleStage::kActive) {
    return failed_precondition("experiment " + id.str() +
                               " is deleted: restore it before adding traces");
  }
  return std::move(*experiment);
}

Tag artifact_tag(const Experiment& experiment, const TraceId& id) {
  return {std::string(trace_keys::kArtifactTag),
          experiment.artifact_location + "/traces/" + id.str() + "/artifacts"};
}

Result<void> lock_traces(sql::Txn& txn, std::span<const TraceId> ids) {
  // One lock for many traces, by their hash: PostgreSQL has room for some thousand locks of all
  // transactions together, and a request may bring as many traces. Taken in order, so that two
  // requests do not wait for each other.
  std::set<std::string> names;
  for (const auto& id : ids) names.insert("traces/" + hash_bytes(id.str()).substr(0, 2));
  for (const auto& name : names) TRY(sql::serialize(txn, name));
  return {};
}

}  // namespace ciclo::tracking
