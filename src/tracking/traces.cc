// SPDX-License-Identifier: Apache-2.0
#include "tracking/traces.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "sql/once.h"
#include "tracking/limits.h"
#include "tracking/store.h"
#include "tracking/store_traces.h"
#include "tracking/trace_limits.h"
#include "tracking/trace_rows.h"

namespace ciclo::tracking {

namespace {

using namespace trace_keys;

Result<TraceInfo> load(sql::Reader& reader, store::TraceRow row) {
  TRY(store::load_trace_data(reader, std::span(&row.number, 1), std::span(&row.info, 1)));
  return std::move(row.info);
}

// Each text once, in the order in which they came first.
std::vector<std::string> distinct(std::span<const std::string> texts) {
  std::unordered_set<std::string_view> seen;
  std::vector<std::string> out;
  for (const auto& text : texts) {
    if (seen.insert(text).second) out.push_back(text);
  }
  return out;
}

// Keys and lengths of tags or metadata (`what`), with values cut to what is kept.
Result<std::vector<Tag>> checked_pairs(std::string_view what, std::span<const Tag> pairs) {
  if (pairs.size() > kTracePairsMax) {
    return invalid_argument("a trace takes at most " + std::to_string(kTracePairsMax) + " " +
                            std::string(what) + " at once, got " + std::to_string(pairs.size()));
  }
  std::vector<Tag> out;
  for (const auto& pair : pairs) {
    if (pair.key.empty()) return invalid_argument(std::string(what) + ": a key is empty");
    TRY(check_length(std::string(what) + " key", pair.key, kKeyLengthMax));
    if (pair.key == kNameTag) TRY(check_length("trace name", pair.value, kTraceNameLengthMax));
    if (pair.key == kSessionKey) {
      TRY(check_length("session id", pair.value, kTraceSessionLengthMax));
    }
    out.push_back({pair.key, std::string(cut_to(pair.value, kTagValueLengthMax))});
  }
  return out;
}

void cut_preview(std::optional<std::string>& preview) {
  if (preview) preview = std::string(cut_to(*preview, kTracePreviewLengthMax));
}

Result<void> check_time(std::string_view what, std::int64_t ms) {
  if (ms >= kTraceTimeMsMin && ms <= kTraceTimeMsMax) return {};
  return invalid_argument(std::string(what) + ": " + std::to_string(ms) +
                          " milliseconds since 1970 is no time between the years 1 and 9999");
}

Result<TraceInfo> checked(const TraceInfo& wanted) {
  TraceInfo trace = wanted;
  TRY(check_time("the time of the request", trace.request_ms));
  TRY(check_length("trace id", trace.trace_id.str(), kTraceIdLengthMax));
  if (trace.client_request_id) {
    TRY(check_length("client request id", *trace.client_request_id, kTraceIdLengthMax));
  }
  TRY(trace.tags, checked_pairs("tags", wanted.tags));
  TRY(trace.metadata, checked_pairs("metadata", wanted.metadata));
  cut_preview(trace.request_preview);
  cut_preview(trace.response_preview);
  return trace;
}

// A new row, or the one that spans have made, with what the info says.
Result<store::TraceRow> written(sql::Txn& txn, const Context& context, const Experiment& experiment,
                                const TraceInfo& trace) {
  TRY(const std::int64_t number, store::experiment_number(experiment.experiment_id));
  TRY(auto found, store::find_trace(txn, context.workspace, trace.trace_id));
  if (!found) {
    TRY(const bool is_taken, store::has_trace_id(txn, trace.trace_id));
    if (is_taken) {
      return already_exists("the trace id " + quoted(trace.trace_id.str()) + " is taken");
    }
    store::TraceRow row{.number = 0, .experiment = number, .info = trace};
    TRY(row.number, store::insert_trace(txn, number, trace));
    return row;
  }
  if (found->experiment != number) {
    TRY(store::move_trace(txn, found->number, number));
    found->experiment = number;
  }
  const TraceInfo before = std::move(found->info);
  found->info = trace;
  if (!trace.request_preview) found->info.request_preview = before.request_preview;
  if (!trace.response_preview) found->info.response_preview = before.response_preview;
  TRY(store::update_trace(txn, *found));
  return std::move(*found);
}

Result<void> check_assessment(const Assessment& assessment) {
  if (assessment.name.empty()) {
    return invalid_argument("assessment_name is empty: a name is needed");
  }
  TRY(check_length("assessment_name", assessment.name, kKeyLengthMax));
  if (json::dump(assessment.value).size() > kAssessmentValueBytesMax) {
    return invalid_argument("assessment " + quoted(assessment.name) +
                            ": its value is longer than " +
                            std::to_string(kAssessmentValueBytesMax) + " bytes");
  }
  TRY(check_length("source_id", assessment.source_id, kKeyLengthMax));
  TRY(check_length("assessment_id", assessment.assessment_id.str(), kKeyLengthMax));
  TRY(check_length("span_id", assessment.span_id.value_or(""), kKeyLengthMax));
  TRY(check_length("overrides", assessment.overrides.value_or(""), kKeyLengthMax));
  TRY(check_length("rationale", assessment.rationale.value_or(""), kAssessmentTextLengthMax));
  TRY(check_time("create_time", assessment.created_ms));
  TRY(check_time("last_update_time", assessment.updated_ms));
  TRY(checked_pairs("metadata", assessment.metadata));
  return {};
}

// The run that assessed stands in the metadata.
constexpr std::string_view kSourceRunKey = "mlflow.assessment.sourceRunId";

Result<void> add_assessment(sql::Txn& txn, const store::TraceRow& trace,
                            const Assessment& assessment) {
  TRY(const bool is_taken, store::has_assessment_id(txn, assessment.assessment_id));
  if (is_taken) {
    return already_exists("the assessment id " + quoted(assessment.assessment_id.str()) +
                          " is taken");
  }
  if (assessment.overrides) {
    TRY(const bool is_there,
        store::set_assessment_valid(txn, trace.number, *assessment.overrides, false));
    if (!is_there) {
      return not_found("trace " + trace.info.trace_id.str() + " has no assessment " +
                       quoted(*assessment.overrides) + " to override");
    }
  }
  return store::insert_assessment(txn, trace, assessment);
}

}  // namespace

Traces::Traces(sql::Database& database, Clock& clock, IdSource& ids)
    : database_(database), clock_(clock), ids_(ids) {}

Result<TraceInfo> Traces::start(const Context& context, const TraceInfo& wanted) {
  if (wanted.trace_id.empty()) return invalid_argument("trace_id is missing: the client makes it");
  if (wanted.assessments.size() > kAssessmentsMax) {
    return invalid_argument("a trace takes at most " + std::to_string(kAssessmentsMax) +
                            " assessments at once, got " +
                            std::to_string(wanted.assessments.size()));
  }
  TRY(const auto trace, checked(wanted));
  std::vector<Assessment> assessments;
  for (auto assessment : wanted.assessments) {
    TRY(check_assessment(assessment));
    if (assessment.assessment_id.empty()) {
      assessment.assessment_id = AssessmentId("a-" + ids_.next());
    }
    assessments.push_back(std::move(assessment));
  }
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<TraceInfo> {
    TRY(lock_traces(txn, std::span(&trace.trace_id, 1)));
    TRY(const auto experiment, active_experiment(txn, context, trace.experiment_id));
    TRY(auto row, written(txn, context, experiment, trace));
    std::vector<Tag> tags = trace.tags;
    std::erase_if(tags, [](const Tag& tag) { return tag.key == kArtifactTag; });
    tags.push_back(artifact_tag(experiment, trace.trace_id));
    std::vector<Tag> metadata = trace.metadata;
    std::erase_if(metadata, [](const Tag& pair) { return pair.key == kFinalizedKey; });
    metadata.push_back({std::string(kFinalizedKey), "true"});
    TRY(store::put_trace_tags(txn, row, tags));
    TRY(store::put_trace_metadata(txn, row, metadata));
    for (const auto& assessment : assessments) {
      // One that was sent before is not sent again as another.
      TRY(const auto known, store::find_assessment(txn, row, assessment.assessment_id));
      if (!known) TRY(add_assessment(txn, row, assessment));
    }
    row.info.tags.clear();
    row.info.metadata.clear();
    row.info.assessments.clear();
    return load(txn, std::move(row));
  });
}

Result<TraceInfo> Traces::begin(const Context& context, const TraceInfo& wanted) {
  TraceInfo named = wanted;
  named.trace_id = ids_.next_id<TraceId>();
  named.state = TraceState::kInProgress;
  named.duration_ms.reset();
  TRY(const auto trace, checked(named));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<TraceInfo> {
    TRY(const auto experiment, active_experiment(txn, context, trace.experiment_id));
    TRY(const std::int64_t number, store::experiment_number(trace.experiment_id));
    store::TraceRow row{.number = 0, .experiment = number, .info = {}};
    TRY(row.number, store::insert_trace(txn, number, trace));
    std::vector<Tag> tags = trace.tags;
    std::erase_if(tags, [](const Tag& tag) { return tag.key == kArtifactTag; });
    tags.push_back(artifact_tag(experiment, trace.trace_id));
    TRY(store::put_trace_tags(txn, row, tags));
    TRY(store::put_trace_metadata(txn, row, trace.metadata));
    TRY(auto made, required_trace(txn, context, trace.trace_id));
    return load(txn, std::move(made));
  });
}

Result<TraceInfo> Traces::end(const Context& context, const TraceId& id, const TraceEnd& end) {
  TRY(check_time("the time of the end", end.end_ms));
  TRY(const auto tags, checked_pairs("tags", end.tags));
  TRY(const auto metadata, checked_pairs("metadata", end.metadata));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<TraceInfo> {
    TRY(auto row, required_trace(txn, context, id));
    row.info.duration_ms = end.end_ms - row.info.request_ms;
    row.info.state = end.state;
    TRY(store::update_trace(txn, row));
    TRY(store::put_trace_tags(txn, row, tags));
    TRY(store::put_trace_metadata(txn, row, metadata));
    return load(txn, std::move(row));
  });
}

Result<TraceInfo> Traces::info(const Context& context, const TraceId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<TraceInfo> {
    TRY(auto row, required_trace(reader, context, id));
    return load(reader, std::move(row));
  });
}

Result<std::vector<TraceInfo>> Traces::infos(
    const Context& context, std::span<const std::string> ids,
    const std::optional<std::vector<ExperimentId>>& experiments) {
  if (ids.size() > kTraceIdsMax) {
    return invalid_argument("trace_ids: at most " + std::to_string(kTraceIdsMax) +
                            " at once, got " + std::to_string(ids.size()));
  }
  const std::vector<std::string> wanted = distinct(ids);
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<TraceInfo>> {
    TRY(auto rows, store::find_traces(reader, context.workspace, wanted));
    if (experiments) {
      std::erase_if(rows, [&](const store::TraceRow& row) {
        return std::ranges::find(*experiments, row.info.experiment_id) == experiments->end();
      });
    }
    std::unordered_map<std::string_view, std::size_t> order;
    for (const auto& id : wanted) order.emplace(id, order.size());
    std::ranges::sort(
        rows, {}, [&](const store::TraceRow& row) { return order.at(row.info.trace_id.str()); });
    std::vector<std::int64_t> numbers;
    std::vector<TraceInfo> infos;
    for (auto& row : rows) {
      numbers.push_back(row.number);
      infos.push_back(std::move(row.info));
    }
    TRY(store::load_trace_data(reader, numbers, infos));
    return infos;
  });
}

Result<Page<TraceInfo>> Traces::search(const Context& context, const TraceSearch& search) {
  TRY(check_max_results(search.max_results, kTraceSearchMax));
  std::string binding;
  for (const auto& id : search.experiment_ids) binding += "," + id.str();
  const SearchText text{search.filter, search.order_by, search.page_token, std::move(binding)};
  return database_.view([&](sql::Reader& reader) {
    return store::search_traces(reader, context.workspace, search.experiment_ids, text,
                                search.max_results);
  });
}

namespace {

Result<void> check_deletion(const TraceDeletion& deletion) {
  if (!deletion.until_ms && deletion.trace_ids.empty()) {
    return invalid_argument("which traces? either max_timestamp_millis or request_ids is needed");
  }
  if (deletion.until_ms && !deletion.trace_ids.empty()) {
    return invalid_argument("only one of max_timestamp_millis and request_ids can be given");
  }
  if (deletion.traces_max && !deletion.trace_ids.empty()) {
    return invalid_argument("max_traces can not be given together with request_ids");
  }
  if (deletion.traces_max && *deletion.traces_max <= 0) {
    return invalid_argument("max_traces must be positive, got " +
                            std::to_string(*deletion.traces_max));
  }
  return {};
}

// Each of the two removes some traces in one transaction after another: on SQLite the writes of
// everybody wait while one runs.

Result<std::int64_t> remove_named(sql::Database& database, const Context& context,
                                  std::int64_t experiment, std::span<const std::string> ids) {
  std::int64_t removed = 0;
  while (!ids.empty()) {
    const auto some = ids.first(std::min<std::size_t>(ids.size(), kTracesDeletedAtOnce));
    ids = ids.subspan(some.size());
    TRY(const std::int64_t gone,
        sql::once(database, context, [&](sql::Txn& txn) -> Result<std::int64_t> {
          TRY(const auto rows, store::find_traces(txn, context.workspace, some));
          std::vector<std::int64_t> traces;
          for (const auto& row : rows) {
            if (row.experiment == experiment) traces.push_back(row.number);
          }
          TRY(store::delete_traces(txn, traces));
          return std::ssize(traces);
        }));
    removed += gone;
  }
  return removed;
}

Result<std::int64_t> remove_until(sql::Database& database, const Context& context,
                                  std::int64_t experiment, const TraceDeletion& deletion) {
  std::int64_t removed = 0;
  while (true) {
    std::int64_t limit = kTracesDeletedAtOnce;
    if (deletion.traces_max) limit = std::min(limit, *deletion.traces_max - removed);
    TRY(const std::int64_t gone,
        sql::once(database, context, [&](sql::Txn& txn) -> Result<std::int64_t> {
          TRY(const auto found, store::find_experiment_row(txn, context.workspace, experiment));
          if (!found) return 0;
          TRY(const auto traces, store::traces_until(txn, experiment, *deletion.until_ms, limit));
          TRY(store::delete_traces(txn, traces));
          return std::ssize(traces);
        }));
    removed += gone;
    if (gone < limit || removed == deletion.traces_max) return removed;
  }
}

}  // namespace

Result<std::int64_t> Traces::remove(const Context& context, const TraceDeletion& deletion) {
  TRY(check_deletion(deletion));
  TRY(const std::int64_t experiment, store::experiment_number(deletion.experiment_id));
  if (deletion.until_ms) return remove_until(database_, context, experiment, deletion);
  return remove_named(database_, context, experiment, distinct(deletion.trace_ids));
}

Result<void> Traces::set_tag(const Context& context, const TraceId& id, const Tag& tag) {
  TRY(check_key("tag", tag.key));
  TRY(const auto tags, checked_pairs("tags", std::span(&tag, 1)));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required_trace(txn, context, id));
    return store::put_trace_tags(txn, row, tags);
  });
}

Result<void> Traces::delete_tag(const Context& context, const TraceId& id, std::string_view key) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required_trace(txn, context, id));
    TRY(const bool removed, store::remove_trace_tag(txn, row.number, key));
    if (!removed) return not_found("trace " + id.str() + " has no tag " + quoted(key));
    return {};
  });
}

Result<void> Traces::link_to_run(const Context& context, std::span<const std::string> ids,
                                 const RunId& run) {
  if (ids.size() > kTraceLinksMax) {
    return invalid_argument("trace_ids: at most " + std::to_string(kTraceLinksMax) +
                            " traces can be linked to a run at once, got " +
                            std::to_string(ids.size()));
  }
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto found, store::find_run(txn, context.workspace, run));
    if (!found) return not_found("no run with id " + quoted(run.str()) + " exists");
    TRY(const auto rows, store::find_traces(txn, context.workspace, ids));
    for (const auto& row : rows) TRY(store::link_trace_to_run(txn, row.number, run));
    return {};
  });
}

Result<void> Traces::link_prompts(const Context& context, const TraceId& id,
                                  std::span<const std::string> prompts) {
  if (prompts.size() > kTraceLinksMax) {
    return invalid_argument("prompt_versions: at most " + std::to_string(kTraceLinksMax) +
                            " at once, got " + std::to_string(prompts.size()));
  }
  for (const auto& prompt : prompts) TRY(check_length("prompt version", prompt, 2 * kKeyLengthMax));
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required_trace(txn, context, id));
    for (const auto& prompt : prompts) {
      TRY(store::link_trace_to_prompt(txn, row.number, prompt));
    }
    return {};
  });
}

Result<FilterCorrelation> Traces::correlation(const Context& context,
                                              std::span<const ExperimentId> experiments,
                                              std::string_view first, std::string_view second,
                                              std::string_view base) {
  return database_.view([&](sql::Reader& reader) -> Result<FilterCorrelation> {
    TRY(const auto visible, store::visible_experiments(reader, context.workspace, experiments));
    const auto count = [&](std::initializer_list<std::string_view> filters) {
      return store::count_traces(reader, visible, std::span(filters.begin(), filters.size()));
    };
    FilterCorrelation counts;
    TRY(counts.all, count({base}));
    TRY(counts.first, count({base, first}));
    TRY(counts.second, count({base, second}));
    TRY(counts.both, count({base, first, second}));
    return counts;
  });
}

Result<Assessment> Traces::create_assessment(const Context& context, const Assessment& wanted) {
  TRY(check_assessment(wanted));
  Assessment assessment = wanted;
  if (assessment.assessment_id.empty()) {
    assessment.assessment_id = AssessmentId("a-" + ids_.next());
  }
  const std::int64_t now_ms = clock_.now_ms();
  if (assessment.created_ms == 0) assessment.created_ms = now_ms;
  if (assessment.updated_ms == 0) assessment.updated_ms = now_ms;
  for (const auto& pair : assessment.metadata) {
    if (pair.key == kSourceRunKey) assessment.run_id = pair.value;
  }
  assessment.is_valid = true;
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<Assessment> {
    TRY(const auto row, required_trace(txn, context, assessment.trace_id));
    TRY(add_assessment(txn, row, assessment));
    return assessment;
  });
}

namespace {

Result<Assessment> required_assessment(sql::Reader& reader, const store::TraceRow& trace,
                                       const AssessmentId& id) {
  TRY(auto found, store::find_assessment(reader, trace, id));
  if (!found) {
    return not_found("trace " + trace.info.trace_id.str() + " has no assessment " +
                     quoted(id.str()));
  }
  return std::move(*found);
}

void merge(std::vector<Tag>& pairs, std::span<const Tag> more) {
  for (const auto& pair : more) {
    const auto known = std::ranges::find(pairs, pair.key, &Tag::key);
    if (known == pairs.end()) {
      pairs.push_back(pair);
    } else {
      known->value = pair.value;
    }
  }
}

Result<void> apply(const AssessmentUpdate& update, Assessment& assessment) {
  if (update.feedback && update.expectation) {
    return invalid_argument("only one of feedback and expectation can be given");
  }
  if (update.expectation && assessment.kind != AssessmentKind::kExpectation) {
    return invalid_argument("the assessment is a " + std::string(name_of(assessment.kind)) +
                            ": it takes no expectation");
  }
  if (update.feedback && assessment.kind != AssessmentKind::kFeedback) {
    return invalid_argument("the assessment is an " + std::string(name_of(assessment.kind)) +
                            ": it takes no feedback");
  }
  if (update.name) assessment.name = *update.name;
  if (update.expectation) assessment.value = *update.expectation;
  if (update.feedback) {
    assessment.value = *update.feedback;
    assessment.error = update.error;
  }
  if (update.rationale && assessment.kind != AssessmentKind::kExpectation) {
    assessment.rationale = *update.rationale;
  }
  merge(assessment.metadata, update.metadata);
  return {};
}

}  // namespace

Result<Assessment> Traces::assessment(const Context& context, const TraceId& trace,
                                      const AssessmentId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<Assessment> {
    TRY(const auto row, required_trace(reader, context, trace));
    return required_assessment(reader, row, id);
  });
}

Result<Assessment> Traces::update_assessment(const Context& context, const TraceId& trace,
                                             const AssessmentId& id,
                                             const AssessmentUpdate& update) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<Assessment> {
    TRY(const auto row, required_trace(txn, context, trace));
    TRY(auto assessment, required_assessment(txn, row, id));
    TRY(apply(update, assessment));
    TRY(check_assessment(assessment));
    assessment.updated_ms = clock_.now_ms();
    TRY(store::update_assessment(txn, assessment));
    return assessment;
  });
}

Result<void> Traces::delete_assessment(const Context& context, const TraceId& trace,
                                       const AssessmentId& id) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const auto row, required_trace(txn, context, trace));
    TRY(const auto found, store::find_assessment(txn, row, id));
    if (!found) return {};
    if (found->overrides) {
      TRY(store::set_assessment_valid(txn, row.number, *found->overrides, true));
    }
    return store::delete_assessment(txn, row.number, id);
  });
}

}  // namespace ciclo::tracking
