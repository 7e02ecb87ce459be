// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/json_fields.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/submission.h"
#include "cli/table.h"

namespace ciclo::cli {
namespace {

bool is_over(const json::Value& run) {
  const std::string state = run.string_or("state", "");
  return state != "pending" && state != "running";
}

// Waits without a busy loop; nobody notifies, as the news come from another process or thread.
void pause(std::chrono::milliseconds time) {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, time);
}

Result<json::Value> follow(Session& session, Api& api, const std::string& id) {
  SystemClock clock;
  RunProgress progress(session.json);
  auto wait = std::chrono::milliseconds(5);
  while (true) {
    TRY(json::Value run, api.get("/api/v1/pipeline-runs/" + id));
    progress.update(run, clock.now_ms());
    if (is_over(run)) {
      progress.finish();
      return run;
    }
    pause(wait);
    wait = std::min(wait * 2, std::chrono::milliseconds(100));
  }
}

const json::Value* find_step(const json::Value& run, std::string_view kind) {
  const json::Value* steps = run.find("steps");
  if (steps == nullptr || !steps->is_array()) return nullptr;
  for (const auto& step : steps->items()) {
    if (step.string_or("kind", "") == kind) return &step;
  }
  return nullptr;
}

// Properties of the first output of the step of that kind; null when it has none.
json::Value properties_of(const json::Value& run, std::string_view kind) {
  const json::Value* step = find_step(run, kind);
  const json::Value* outputs = step == nullptr ? nullptr : step->find("outputs");
  if (outputs == nullptr || !outputs->is_array() || outputs->items().empty()) return {};
  const json::Value* properties = outputs->items().front().find("properties");
  return properties == nullptr ? json::Value() : *properties;
}

std::string interval_text(const json::Value* low, const json::Value* high) {
  if (low == nullptr || high == nullptr || !low->is_number() || !high->is_number()) return "-";
  return number_text(low->number(), 4) + " … " + number_text(high->number(), 4);
}

void print_report(const json::Value& report) {
  const json::Value* intervals = report.find("intervals");
  Table metrics({"metric", "on test rows", "95 % interval"});
  for (const auto& [key, value] : report.members()) {
    if (key == "rows" || !value.is_number()) continue;
    const json::Value* ends = intervals == nullptr ? nullptr : intervals->find(key);
    const bool known = ends != nullptr && ends->is_array() && ends->items().size() == 2;
    metrics.add({key, number_text(value.number(), 4),
                 known ? interval_text(&ends->items()[0], &ends->items()[1]) : "-"});
  }
  metrics.print();
  const json::Value* slices = report.find("slices");
  if (slices == nullptr || !slices->is_array() || slices->items().empty()) return;
  Table parts({"slice", "rows", "metric", "value", "95 % interval"});
  for (const auto& slice : slices->items()) {
    const json::Value* observed = slice.find("observed");
    const bool defined = observed != nullptr && observed->is_number();
    parts.add({slice.string_or("column", "") + "=" + slice.string_or("value", ""),
               count_text(slice.integer_or("rows", 0)), slice.string_or("metric", ""),
               defined ? number_text(observed->number(), 4) : "-",
               interval_text(slice.find("low"), slice.find("high"))});
  }
  std::printf("\n");
  parts.print();
}

void print_summary(const steps::Project& project, const json::Value& run, const Session& session) {
  std::size_t cached = 0;
  const json::Value* steps = run.find("steps");
  for (const auto& step : steps->items()) {
    if (step.string_or("state", "") == "cached") ++cached;
  }
  std::printf(
      "%s: %s, %zu of %zu steps cached, %s\n", project.name.c_str(),
      run.string_or("state", "").c_str(), cached, steps->items().size(),
      duration_text(run.integer_or("ended_ms", 0) - run.integer_or("created_ms", 0)).c_str());
  const json::Value report = properties_of(run, "evaluate");
  if (report.is_object()) print_report(report);
  const json::Value decision = properties_of(run, "gate");
  if (decision.is_object()) std::printf("gate: %s\n", decision.string_or("summary", "").c_str());
  if (project.endpoint.empty() || run.string_or("state", "") != "succeeded") return;
  if (!session.server.empty()) {
    std::printf("serves at: %s/v2/models/%s/infer\n", session.server.c_str(),
                project.endpoint.c_str());
  } else {
    std::printf("try it:   ciclo predict %s FILE\n", project.endpoint.c_str());
  }
}

// A run that ended well, and whose gate let the model pass.
Result<void> verdict(const json::Value& run) {
  const std::string state = run.string_or("state", "");
  if (state != "succeeded") {
    std::string error = run.string_or("error", "");
    if (error.empty()) error = "the pipeline run was " + state;
    return failed_precondition(error);
  }
  const json::Value decision = properties_of(run, "gate");
  if (decision.is_object() && !decision.boolean_or("passed", true)) {
    return failed_precondition("the gate refused the model: " + decision.string_or("summary", ""));
  }
  return {};
}

Result<void> print_plan(Session& session, Api& api, const steps::Submission& submission) {
  TRY(const json::Value plan, api.post("/api/v1/projects/plan", json::to_value(submission)));
  session.show(plan, [&] {
    Table table({"step", "would", "why"});
    const json::Value* steps = plan.find("steps");
    for (const auto& step : steps->items()) {
      const std::string fate = step.boolean_or("cached", false)    ? "be taken from the cache"
                               : step.boolean_or("skipped", false) ? "be skipped"
                                                                   : "run";
      table.add({step.string_or("name", ""), fate, step.string_or("why", "")});
    }
    table.print();
  });
  return {};
}

// A run that was active already: this one, or others that had to give way.
void say_what_was_active(const json::Value& started) {
  const std::string id = started.string_or("pipeline_run_id", "");
  if (started.boolean_or("joined", false)) {
    std::fprintf(stderr, "the same run is under way already: following %s\n", id.c_str());
  }
  const json::Value* superseded = started.find("superseded");
  if (superseded == nullptr || !superseded->is_array()) return;
  for (const auto& run : superseded->items()) {
    std::fprintf(stderr, "cancelled the run of another configuration: %s\n", run.string().c_str());
  }
}

}  // namespace

Result<void> run(Session& session, const RunOptions& options) {
  if (options.detach && session.server.empty()) {
    return invalid_argument(
        "--detach needs --server URL: a platform in this process ends with it, and the run too");
  }
  TRY(const steps::Project project, load_project(session.project, options.set));
  TRY(const SourceFiles files, find_sources(project, session.project));
  TRY(Api * api, session.api_or_new());
  TRY(const steps::Submission submission, prepare_submission(*api, project, files));
  if (options.plan) return print_plan(session, *api, submission);
  TRY(const json::Value started, api->post("/api/v1/projects/runs", json::to_value(submission)));
  const std::string id = started.string_or("pipeline_run_id", "");
  say_what_was_active(started);
  if (options.detach) {
    session.show(started, [&] { std::printf("%s\n", id.c_str()); });
    return {};
  }
  TRY(const json::Value finished, follow(session, *api, id));
  session.show(finished, [&] { print_summary(project, finished, session); });
  return verdict(finished);
}

}  // namespace ciclo::cli
