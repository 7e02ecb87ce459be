// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "base/context.h"
#include "base/result.h"
#include "sql/database.h"
#include "tracking/store_traces.h"
#include "tracking/trace_types.h"

// What traces.cc and spans.cc share: the words that MLflow's clients and server know, and the first
// steps of most calls.

namespace ciclo::tracking {

namespace trace_keys {

// Tags.
inline constexpr std::string_view kNameTag = "mlflow.traceName";
inline constexpr std::string_view kArtifactTag = "mlflow.artifactLocation";
inline constexpr std::string_view kSpansTag = "mlflow.trace.spansLocation";
inline constexpr std::string_view kSpansHere = "TRACKING_STORE";
// Metadata.
inline constexpr std::string_view kSessionKey = "mlflow.trace.session";
inline constexpr std::string_view kUserKey = "mlflow.trace.user";
inline constexpr std::string_view kUsageKey = "mlflow.trace.tokenUsage";
inline constexpr std::string_view kCostKey = "mlflow.trace.cost";
inline constexpr std::string_view kSizeKey = "mlflow.trace.sizeStats";
// Says that the client has sent the trace's info: what spans say no longer counts.
inline constexpr std::string_view kFinalizedKey = "mlflow.trace.infoFinalized";

}  // namespace trace_keys

// not_found when the workspace has no such trace.
Result<store::TraceRow> required_trace(sql::Reader& reader, const Context& context,
                                       const TraceId& id);
// failed_precondition when the experiment is deleted.
Result<Experiment> active_experiment(sql::Reader& reader, const Context& context,
                                     const ExperimentId& id);
// Where the trace's files belong.
Tag artifact_tag(const Experiment& experiment, const TraceId& id);
// The info of a trace and its spans may come at once, each to make it: from here on, one after the
// other. Called once in a transaction, with all the traces that it writes.
Result<void> lock_traces(sql::Txn& txn, std::span<const TraceId> ids);

}  // namespace ciclo::tracking
