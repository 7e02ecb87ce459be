// SPDX-License-Identifier: Apache-2.0
#include "tracking/trace_rows.h"

#include <string>
#include <utility>

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
  TRY(auto experiment, store::find_experiment(reader, context.workspace, number));
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

Result<void> lock_trace(sql::Txn& txn, const TraceId& id) {
  return sql::serialize(txn, "trace/" + id.str());
}

}  // namespace ciclo::tracking
