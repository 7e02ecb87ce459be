// SPDX-License-Identifier: Apache-2.0
#include "tracking/traces.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "api/mlflow/answer.h"
#include "api/mlflow/messages.h"
#include "api/mlflow/trace_messages.h"
#include "base/text.h"

namespace ciclo::api::mlflow {

namespace {

using tracking::AssessmentId;
using tracking::ExperimentId;
using tracking::TraceId;
using tracking::Traces;

// What every call has: the trace that its path names, if it does.
struct Asked {
  const Context& context;
  const Input& input;
  TraceId trace;
  std::string part;  // the assessment of the path
};
using Function = Result<std::string> (*)(Traces&, const Asked&);

std::string trace_with(const tracking::TraceInfo& info) {
  return object([&](json::Writer& out) {
    out.key("trace").begin_object().key("trace_info");
    write(out, info);
    out.end_object();
  });
}

Result<std::vector<ExperimentId>> experiments_of(const Input& input, std::string_view key) {
  TRY(const auto texts, input.texts(key));
  std::vector<ExperimentId> out;
  for (const auto& text : texts) out.emplace_back(text);
  return out;
}

Error missing(std::string_view name) {
  return invalid_argument("missing value for required parameter " + quoted(name));
}

// --- Infos

Result<std::string> start(Traces& traces, const Asked& asked) {
  TRY(const auto trace, asked.input.member("trace"));
  TRY(const auto fields, trace.member("trace_info"));
  TRY(const auto info, trace_info_of(fields));
  TRY(const auto started, traces.start(asked.context, info));
  return trace_with(started);
}

Result<std::string> info(Traces& traces, const Asked& asked) {
  TRY(const auto found, traces.info(asked.context, asked.trace));
  return trace_with(found);
}

Result<std::string> infos(Traces& traces, const Asked& asked) {
  TRY(const auto ids, asked.input.texts("trace_ids"));
  if (ids.empty()) return missing("trace_ids");
  std::optional<std::vector<ExperimentId>> experiments;
  if (asked.input.has("experiment_ids")) {
    TRY(experiments, experiments_of(asked.input, "experiment_ids"));
  }
  TRY(const auto found, traces.infos(asked.context, ids, experiments));
  return object([&](json::Writer& out) {
    list_if_any(out, "trace_infos", found, [&](const auto& item) { write(out, item); });
  });
}

Result<tracking::TraceSearch> search_of(const Input& input) {
  tracking::TraceSearch search;
  TRY(search.filter, input.text_or_empty("filter"));
  TRY(search.order_by, input.texts("order_by"));
  TRY(search.max_results, input.integer_or("max_results", search.max_results));
  TRY(search.page_token, input.text_or_empty("page_token"));
  return search;
}

Result<std::string> search(Traces& traces, const Asked& asked) {
  TRY(auto search, search_of(asked.input));
  if (!asked.input.has("locations")) return missing("locations");
  TRY(asked.input.each("locations", [&](const Fields& location) -> Result<void> {
    if (!location.has("mlflow_experiment")) return {};
    TRY(const auto place, location.member("mlflow_experiment"));
    TRY(auto id, place.text("experiment_id"));
    search.experiment_ids.emplace_back(std::move(id));
    return {};
  }));
  TRY(const auto page, traces.search(asked.context, search));
  return page_with("traces", page);
}

Result<std::string> remove(Traces& traces, const Asked& asked) {
  tracking::TraceDeletion deletion;
  TRY(auto experiment, asked.input.text("experiment_id"));
  deletion.experiment_id = ExperimentId(std::move(experiment));
  TRY(deletion.until_ms, asked.input.optional_integer("max_timestamp_millis"));
  TRY(deletion.traces_max, asked.input.optional_integer("max_traces"));
  TRY(deletion.trace_ids, asked.input.texts("request_ids"));
  TRY(const auto deleted, traces.remove(asked.context, deletion));
  return object([&](json::Writer& out) { out.key("traces_deleted").integer(deleted); });
}

// Where the spans are is the server's to say.
Result<void> check_may_change(std::string_view key, bool deletes) {
  const bool is_place =
      key == "mlflow.trace.spansLocation" || key == "mlflow.trace.archiveLocation";
  if (!is_place && (key != "mlflow.trace.archivalFailure" || deletes)) return {};
  return invalid_argument("the tag " + quoted(key) + " of a trace is the server's own");
}

Result<std::string> set_tag(Traces& traces, const Asked& asked) {
  tracking::Tag tag;
  TRY(tag.key, asked.input.text("key"));
  TRY(tag.value, asked.input.text_or_empty("value"));
  TRY(check_may_change(tag.key, false));
  TRY(traces.set_tag(asked.context, asked.trace, tag));
  return "{}";
}

Result<std::string> delete_tag(Traces& traces, const Asked& asked) {
  TRY(const auto key, asked.input.text("key"));
  TRY(check_may_change(key, true));
  TRY(traces.delete_tag(asked.context, asked.trace, key));
  return "{}";
}

Result<std::string> link_to_run(Traces& traces, const Asked& asked) {
  TRY(const auto ids, asked.input.texts("trace_ids"));
  if (ids.empty()) return missing("trace_ids");
  TRY(auto run, asked.input.text("run_id"));
  TRY(traces.link_to_run(asked.context, ids, tracking::RunId(std::move(run))));
  return "{}";
}

Result<std::string> link_prompts(Traces& traces, const Asked& asked) {
  TRY(auto id, asked.input.text("trace_id"));
  if (!asked.input.has("prompt_versions")) return missing("prompt_versions");
  std::vector<std::string> prompts;
  TRY(asked.input.each("prompt_versions", [&](const Fields& prompt) -> Result<void> {
    TRY(const auto name, prompt.text("name"));
    TRY(const auto version, prompt.text("version"));
    prompts.push_back(name + "/" + version);
    return {};
  }));
  TRY(traces.link_prompts(asked.context, TraceId(std::move(id)), prompts));
  return "{}";
}

// Normalised pointwise mutual information of two filters, in [-1, 1] (Bouma 2009), as MLflow has
// it: NaN where one of them never holds, -1 where they never hold together, 1 where they always do.
double npmi(double both, double first, double second, double all) {
  if (all <= 0 || first <= 0 || second <= 0) return std::nan("");
  if (both <= 0) return -1;
  if (both >= all) return 1;
  const double information = std::log(both) + std::log(all) - std::log(first) - std::log(second);
  return std::clamp(information / (std::log(all) - std::log(both)), -1.0, 1.0);
}

Result<std::string> correlation(Traces& traces, const Asked& asked) {
  constexpr double kSmoothing = 0.5;  // added to each of the four cells
  TRY(const auto experiments, experiments_of(asked.input, "experiment_ids"));
  if (experiments.empty()) return missing("experiment_ids");
  TRY(const auto first, asked.input.text("filter_string1"));
  TRY(const auto second, asked.input.text("filter_string2"));
  TRY(const auto base, asked.input.text_or_empty("base_filter"));
  TRY(const auto counts, traces.correlation(asked.context, experiments, first, second, base));
  const auto both = static_cast<double>(counts.both);
  const auto one = static_cast<double>(counts.first);
  const auto other = static_cast<double>(counts.second);
  const auto all = static_cast<double>(counts.all);
  const double plain = npmi(both, one, other, all);
  const double smoothed =
      npmi(both + kSmoothing, one + 2 * kSmoothing, other + 2 * kSmoothing, all + 4 * kSmoothing);
  return object([&](json::Writer& out) {
    out.key("npmi").number(plain);
    out.key("npmi_smoothed").number(std::isnan(plain) ? plain : smoothed);
    out.key("filter1_count").integer(counts.first);
    out.key("filter2_count").integer(counts.second);
    out.key("joint_count").integer(counts.both);
    out.key("total_count").integer(counts.all);
  });
}

// --- With their spans

std::string trace_text(const tracking::Trace& trace) {
  return object([&](json::Writer& out) { write_trace(out, trace); });
}

Result<std::string> get_trace(Traces& traces, const Asked& asked) {
  TRY(auto id, asked.input.text("trace_id"));
  TRY(const bool may_lack, asked.input.boolean_or("allow_partial", false));
  TRY(const auto trace, traces.get(asked.context, TraceId(std::move(id)),
                                   may_lack ? Traces::Missing::kAllow : Traces::Missing::kRefuse));
  return object([&](json::Writer& out) { out.key("trace").raw(trace_text(trace)); });
}

Result<std::string> get_traces(Traces& traces, const Asked& asked) {
  TRY(const auto ids, asked.input.texts("trace_ids"));
  if (ids.empty()) return missing("trace_ids");
  std::optional<std::vector<ExperimentId>> experiments;
  if (asked.input.has("experiment_ids")) {
    TRY(experiments, experiments_of(asked.input, "experiment_ids"));
  }
  TRY(const auto found, traces.get_many(asked.context, ids, experiments));
  return object([&](json::Writer& out) {
    list_if_any(out, "traces", found, [&](const auto& item) { out.raw(trace_text(item)); });
  });
}

// --- Assessments

Result<std::string> create_assessment(Traces& traces, const Asked& asked) {
  TRY(const auto fields, asked.input.member("assessment"));
  TRY(auto assessment, assessment_of(fields));
  assessment.trace_id = asked.trace;
  TRY(const auto created, traces.create_assessment(asked.context, assessment));
  return object_with("assessment", created);
}

Result<std::string> get_assessment(Traces& traces, const Asked& asked) {
  TRY(const auto found, traces.assessment(asked.context, asked.trace, AssessmentId(asked.part)));
  return object_with("assessment", found);
}

// The paths of a field mask; a text of paths joined by commas in protobuf's JSON.
Result<std::vector<std::string>> mask_of(const Input& input) {
  std::vector<std::string> out;
  TRY(const auto mask, input.text("update_mask"));
  for (const auto path : split(mask, ',')) out.emplace_back(trim(path));
  return out;
}

Result<void> read_change(const Fields& fields, std::string_view path,
                         tracking::AssessmentUpdate& update) {
  if (path == "assessment_name" || path == "assessmentName") {
    TRY(update.name, fields.text_or_empty("assessment_name"));
  } else if (path == "rationale") {
    TRY(update.rationale, fields.text_or_empty("rationale"));
  } else if (path == "metadata") {
    TRY(update.metadata, pairs_of(fields, "metadata"));
  } else if (path == "feedback") {
    TRY(const auto feedback, fields.member("feedback"));
    TRY(update.feedback, feedback_value(feedback));
    TRY(update.error, feedback_error(feedback));
  } else if (path == "expectation") {
    TRY(const auto expectation, fields.member("expectation"));
    TRY(update.expectation, expectation_value(expectation));
  }
  return {};
}

Result<std::string> update_assessment(Traces& traces, const Asked& asked) {
  TRY(const auto fields, asked.input.member("assessment"));
  TRY(const auto paths, mask_of(asked.input));
  tracking::AssessmentUpdate update;
  for (const auto& path : paths) TRY(read_change(fields, path, update));
  TRY(const auto changed,
      traces.update_assessment(asked.context, asked.trace, AssessmentId(asked.part), update));
  return object_with("assessment", changed);
}

Result<std::string> delete_assessment(Traces& traces, const Asked& asked) {
  TRY(traces.delete_assessment(asked.context, asked.trace, AssessmentId(asked.part)));
  return "{}";
}

// --- As clients before MLflow 3 ask

std::string trace_with_v2(const tracking::TraceInfo& info) {
  return object([&](json::Writer& out) {
    out.key("trace_info");
    write_v2(out, info);
  });
}

Result<std::string> begin_v2(Traces& traces, const Asked& asked) {
  tracking::TraceInfo trace;
  TRY(auto experiment, asked.input.text_or_empty("experiment_id"));
  trace.experiment_id = ExperimentId(std::move(experiment));
  TRY(trace.request_ms, asked.input.integer_or("timestamp_ms", 0));
  TRY(trace.metadata, asked.input.tags("request_metadata"));
  TRY(trace.tags, asked.input.tags("tags"));
  TRY(const auto begun, traces.begin(asked.context, trace));
  return trace_with_v2(begun);
}

Result<std::string> end_v2(Traces& traces, const Asked& asked) {
  tracking::TraceEnd end;
  TRY(end.end_ms, asked.input.integer_or("timestamp_ms", 0));
  TRY(end.state, trace_state_of(asked.input, "status"));
  TRY(end.metadata, asked.input.tags("request_metadata"));
  TRY(end.tags, asked.input.tags("tags"));
  TRY(const auto ended, traces.end(asked.context, asked.trace, end));
  return trace_with_v2(ended);
}

Result<std::string> info_v2(Traces& traces, const Asked& asked) {
  TRY(const auto found, traces.info(asked.context, asked.trace));
  return trace_with_v2(found);
}

Result<std::string> search_v2(Traces& traces, const Asked& asked) {
  TRY(auto search, search_of(asked.input));
  TRY(search.experiment_ids, experiments_of(asked.input, "experiment_ids"));
  if (search.experiment_ids.empty()) return missing("experiment_ids");
  TRY(const auto page, traces.search(asked.context, search));
  return object([&](json::Writer& out) {
    list_if_any(out, "traces", page.items, [&](const auto& item) { write_v2(out, item); });
    if (!page.next_page_token.empty()) out.key("next_page_token").string(page.next_page_token);
  });
}

}  // namespace

void add_trace_routes(http::Router& router, const Services& services) {
  const auto add = [&](std::string_view method, const std::string& path, Function function) {
    add_handler(router, method, path,
                [&traces = services.traces, function](http::Request& request, http::Reply reply) {
                  const auto input = Input::of(request);
                  if (!input.ok()) return reply.send(malformed_response(input.error()));
                  const Asked asked{request.context, *input,
                                    TraceId(std::string(request.path_value("trace_id"))),
                                    std::string(request.path_value("assessment_id"))};
                  auto answer = function(traces, asked);
                  reply.send(answer.ok() ? http::Response::json(std::move(answer).value())
                                         : error_response(answer.error()));
                });
  };
  const std::string v3 = "/3.0/mlflow/traces";
  const std::string v2 = "/2.0/mlflow/traces";
  add("POST", v3, start);
  add("GET", v3 + "/{trace_id}", info);
  add("GET", v3 + "/get", get_trace);
  add("GET", v3 + "/batchGet", get_traces);
  add("POST", v3 + "/batchGetInfos", infos);
  add("POST", v3 + "/search", search);
  add("POST", v3 + "/calculate-filter-correlation", correlation);
  add("POST", v3 + "/{trace_id}/assessments", create_assessment);
  add("GET", v3 + "/{trace_id}/assessments/{assessment_id}", get_assessment);
  add("PATCH", v3 + "/{trace_id}/assessments/{assessment_id}", update_assessment);
  add("DELETE", v3 + "/{trace_id}/assessments/{assessment_id}", delete_assessment);
  for (const auto& base : {v2, v3}) {
    add("POST", base + "/delete-traces", remove);
    add("PATCH", base + "/{trace_id}/tags", set_tag);
    add("DELETE", base + "/{trace_id}/tags", delete_tag);
  }
  add("POST", v2 + "/link-to-run", link_to_run);
  add("POST", v2 + "/link-prompts", link_prompts);
  add("POST", v2, begin_v2);
  add("PATCH", v2 + "/{trace_id}", end_v2);
  add("GET", v2 + "/{trace_id}/info", info_v2);
  add("GET", v2, search_v2);
}

}  // namespace ciclo::api::mlflow
