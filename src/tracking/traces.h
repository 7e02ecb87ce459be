// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/result.h"
#include "sql/database.h"
#include "tracking/trace_types.h"

// Traces of an experiment: infos, tags, metadata, spans and assessments. The rules are MLflow's
// (3.17). A trace is made by its info, as clients of MLflow send it when the root span ends, or by
// its first spans, as OpenTelemetry's exporters send them; the other half may come later, in any
// order. What an info says wins over what spans say. Safe to share between threads.
//
// Errors of all calls: not_found for an unknown experiment, trace or assessment,
// failed_precondition for a new trace in a deleted experiment, invalid_argument for what is outside
// the limits in traces.cc.

namespace ciclo::tracking {

// What ends a trace that was begun.
struct TraceEnd {
  std::int64_t end_ms = 0;
  TraceState state = TraceState::kUnspecified;
  std::vector<Tag> metadata;  // added to what is there
  std::vector<Tag> tags;
};

struct TraceSearch {
  std::vector<ExperimentId> experiment_ids;
  std::string filter;  // the grammar is in filter.h, the words in store_trace_search.cc
  std::vector<std::string> order_by;
  std::int64_t max_results = 100;  // 1 to 500
  std::string page_token;
};

// Either ids, or an age with a number of traces at most, the oldest first.
struct TraceDeletion {
  ExperimentId experiment_id;
  std::vector<std::string> trace_ids;
  std::optional<std::int64_t> until_ms;
  std::optional<std::int64_t> traces_max;
};

// What is set is changed; metadata is added to what is there.
struct AssessmentUpdate {
  std::optional<std::string> name;
  std::optional<json::Value> feedback;
  std::optional<json::Value> error;  // with feedback; null takes it away
  std::optional<json::Value> expectation;
  std::optional<std::string> rationale;
  std::vector<Tag> metadata;
};

// How often two filters hold together (normalised pointwise mutual information).
struct FilterCorrelation {
  std::int64_t both = 0;
  std::int64_t first = 0;
  std::int64_t second = 0;
  std::int64_t all = 0;
};

class Traces {
 public:
  // All must outlive the service.
  Traces(sql::Database& database, Clock& clock, IdSource& ids);

  // Records a trace under the id that the client made, or completes the one that its spans made.
  Result<TraceInfo> start(const Context& context, const TraceInfo& trace);
  // In two steps, as clients before MLflow 3 do. The id is made here.
  Result<TraceInfo> begin(const Context& context, const TraceInfo& trace);
  Result<TraceInfo> end(const Context& context, const TraceId& id, const TraceEnd& end);

  Result<TraceInfo> info(const Context& context, const TraceId& id);
  // In the order of the ids, without those that are not there or not in one of the experiments
  // (nullopt: in any).
  Result<std::vector<TraceInfo>> infos(const Context& context, std::span<const std::string> ids,
                                       const std::optional<std::vector<ExperimentId>>& experiments);
  Result<Page<TraceInfo>> search(const Context& context, const TraceSearch& search);
  // The number of traces that are gone.
  Result<std::int64_t> remove(const Context& context, const TraceDeletion& deletion);
  Result<void> set_tag(const Context& context, const TraceId& id, const Tag& tag);
  Result<void> delete_tag(const Context& context, const TraceId& id, std::string_view key);

  // At most 100 traces; those that do not exist are passed over.
  Result<void> link_to_run(const Context& context, std::span<const std::string> ids,
                           const RunId& run);
  // Versions of prompts as "name/version".
  Result<void> link_prompts(const Context& context, const TraceId& id,
                            std::span<const std::string> prompts);

  Result<FilterCorrelation> correlation(const Context& context,
                                        std::span<const ExperimentId> experiments,
                                        std::string_view first, std::string_view second,
                                        std::string_view base);

  // --- Spans
  // Keeps the spans, at most 10,000, and makes the traces that they begin in the experiment. Of a
  // trace whose info has not come yet they also say state, times, previews, session, user, token
  // usage and cost. Attributes of the resource become tags.
  Result<void> log_spans(const Context& context, const ExperimentId& experiment,
                         std::span<const SpanBatch> batches);
  // With all its spans. not_found for one whose info promises more spans than have come, unless
  // those may be missing; failed_precondition when its client keeps the spans among its artifacts.
  enum class Missing { kRefuse, kAllow };
  Result<Trace> get(const Context& context, const TraceId& id, Missing missing);
  // As infos; without those that `get` refuses.
  Result<std::vector<Trace>> get_many(const Context& context, std::span<const std::string> ids,
                                      const std::optional<std::vector<ExperimentId>>& experiments);
  // Each span as JSON in MLflow's form; nullopt when the trace's client keeps them itself.
  Result<std::optional<std::vector<std::string>>> span_texts(const Context& context,
                                                             const TraceId& id);

  // --- Assessments
  Result<Assessment> create_assessment(const Context& context, const Assessment& assessment);
  Result<Assessment> assessment(const Context& context, const TraceId& trace,
                                const AssessmentId& id);
  Result<Assessment> update_assessment(const Context& context, const TraceId& trace,
                                       const AssessmentId& id, const AssessmentUpdate& update);
  // Makes valid again what it replaced. Without an error when there is no such assessment.
  Result<void> delete_assessment(const Context& context, const TraceId& trace,
                                 const AssessmentId& id);

 private:
  sql::Database& database_;
  Clock& clock_;
  IdSource& ids_;
};

}  // namespace ciclo::tracking
