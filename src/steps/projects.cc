// SPDX-License-Identifier: Apache-2.0
#include "steps/projects.h"

#include <algorithm>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"
#include "steps/project.h"

namespace ciclo::steps {
namespace {

struct Alert {
  std::string_view cause;  // as ciclo.yaml names it
  std::string_view event;
};
constexpr Alert kAlerts[] = {{"drift", "drift.detected"}, {"quality", "quality.degraded"}};

Result<Project> project_of(const Submission& submission) {
  return read_project(submission.project, "ciclo.yaml");
}

Result<ProjectView> view_of(const sql::Row& row) {
  ProjectView view;
  view.name = row.string(0);
  TRY(view.submission, json::read<Submission>(row.text(1)));
  view.retrained_until_ms = row.integer(2);
  view.created_ms = row.integer(3);
  view.updated_ms = row.integer(4);
  return view;
}

Result<std::int64_t> end_of_window(const events::Event& event) {
  const std::int64_t to_ms = event.body.integer_or("end_ms", 0);
  if (to_ms == 0) return invalid_argument("the event names no end of its window");
  return to_ms;
}

Result<void> check_cool_down(const Project& project, std::int64_t retrained_until_ms,
                             std::int64_t to_ms) {
  const std::int64_t pause_ms = project.retrain ? project.retrain->cooldown_ms : 0;
  if (retrained_until_ms == 0 || to_ms >= retrained_until_ms + pause_ms) return {};
  return failed_precondition("cooling down: retrained up to " + format_utc(retrained_until_ms));
}

}  // namespace

Projects::Projects(sql::Database& database, Clock& clock, data::DataSets& data_sets,
                   pipeline::Pipelines& pipelines, serve::Endpoints& endpoints)
    : database_(database),
      clock_(clock),
      data_sets_(data_sets),
      pipelines_(pipelines),
      endpoints_(endpoints) {}

Result<pipeline::Submitted> Projects::submit(const Context& context, const Submission& submission,
                                             pipeline::Triggers& triggers) {
  TRY(const Project project, project_of(submission));
  TRY(const pipeline::PipelineSpec spec, training_pipeline(project, submission));
  TRY(keep(context, project.name, submission));
  for (const Alert& alert : kAlerts) {
    pipeline::TriggerSpec trigger;
    trigger.name = project.name + "." + std::string(alert.cause);
    trigger.pipeline = project.name;
    trigger.on = alert.event;
    trigger.subject = project.endpoint;
    const bool wanted =
        project.retrain && std::find(project.retrain->on.begin(), project.retrain->on.end(),
                                     alert.cause) != project.retrain->on.end();
    if (wanted) {
      TRY(triggers.put(context, trigger));
    } else {
      auto removed = triggers.remove(context, trigger.name);
      if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
    }
  }
  return pipelines_.submit_newest(
      context, spec, json::Value::object({{"kind", "manual"}, {"caller", context.caller}}));
}

Result<std::vector<pipeline::PlannedStep>> Projects::plan(const Context& context,
                                                          const Submission& submission) {
  TRY(const Project project, project_of(submission));
  TRY(const pipeline::PipelineSpec spec, training_pipeline(project, submission));
  return pipelines_.plan(context, spec);
}

Result<void> Projects::keep(const Context& context, const std::string& name,
                            const Submission& submission) {
  const std::string text = json::write(submission);
  const std::int64_t now = clock_.now_ms();
  return database_.transaction([&](sql::Txn& txn) -> Result<void> {
    TRY(const auto changed,
        txn.execute(
            "INSERT INTO projects (workspace, name, submission, retrained_until_ms, created_ms, "
            "updated_ms) VALUES ($1, $2, $3, 0, $4, $4) "
            "ON CONFLICT (workspace, name) DO UPDATE SET submission = excluded.submission, "
            "updated_ms = excluded.updated_ms",
            {std::string_view(context.workspace), std::string_view(name), std::string_view(text),
             now}));
    CHECK(changed == 1);
    return {};
  });
}

Result<ProjectView> Projects::get(const Context& context, std::string_view name) {
  std::optional<Result<ProjectView>> found;
  TRY(database_.read([&](sql::Reader& reader) {
    return reader.query(
        "SELECT name, submission, retrained_until_ms, created_ms, updated_ms FROM projects "
        "WHERE workspace = $1 AND name = $2",
        {std::string_view(context.workspace), name}, [&](const sql::Row& row) -> Result<void> {
          found = view_of(row);
          return {};
        });
  }));
  if (!found) return not_found("there is no project " + quoted(name));
  return std::move(*found);
}

Result<std::vector<ProjectView>> Projects::list(const Context& context) {
  std::vector<ProjectView> all;
  TRY(database_.read([&](sql::Reader& reader) {
    all.clear();
    return reader.query(
        "SELECT name, submission, retrained_until_ms, created_ms, updated_ms FROM projects "
        "WHERE workspace = $1 ORDER BY name",
        {std::string_view(context.workspace)}, [&](const sql::Row& row) -> Result<void> {
          TRY(ProjectView view, view_of(row));
          all.push_back(std::move(view));
          return {};
        });
  }));
  return all;
}

Result<std::string> Projects::tuned_parameters(const Context& context, const std::string& project) {
  pipeline::PipelineRunFilter filter;
  filter.pipeline = project;
  filter.state = pipeline::State::kSucceeded;
  TRY(const auto page, pipelines_.list(context, filter, 1));
  if (page.runs.empty()) return std::string();
  TRY(const auto run,
      pipelines_.get(context, pipeline::PipelineRunId(page.runs.front().pipeline_run_id)));
  for (const auto& step : run.steps) {
    if (step.kind != "tune" || step.outputs.empty()) continue;
    return step.outputs.front().artifact_id;
  }
  return std::string();
}

Result<pipeline::PipelineSpec> Projects::retraining(const Context& context, const Project& project,
                                                    std::int64_t to_ms) {
  Retrain retrain;
  retrain.to_ms = to_ms;
  const std::int64_t window_ms = project.retrain ? project.retrain->window_ms : 0;
  retrain.from_ms = window_ms > 0 ? to_ms - window_ms : 0;
  TRY(const data::DataSetVersion examples, data_sets_.get(context, examples_name(project)));
  retrain.base_artifact_id = examples.artifact_id;
  TRY(retrain.parameters_artifact_id, tuned_parameters(context, project.name));
  TRY(const auto serving, endpoints_.loaded(context, project.endpoint));
  for (const auto& column : serving->loaded->signature().inputs)
    retrain.columns.push_back(column.name);
  retrain.labels = serving->loaded->labels();
  return retraining_pipeline(project, retrain);
}

Result<pipeline::PipelineRunId> Projects::retrain(const Context& context, std::string_view name,
                                                  std::int64_t to_ms) {
  TRY(const ProjectView view, get(context, name));
  TRY(const Project project, project_of(view.submission));
  TRY(const pipeline::PipelineSpec spec, retraining(context, project, to_ms));
  return pipelines_.submit(context, spec,
                           json::Value::object({{"kind", "manual"}, {"caller", context.caller}}));
}

Result<pipeline::PipelineSpec> Projects::build(const Context& context,
                                               const pipeline::TriggerSpec& trigger,
                                               const events::Event* event) {
  TRY(const ProjectView view, get(context, trigger.pipeline));
  TRY(const Project project, project_of(view.submission));
  if (event == nullptr || !project.retrain)
    return failed_precondition("project " + quoted(project.name) + " does not retrain");
  TRY(const std::int64_t to_ms, end_of_window(*event));
  TRY(check_cool_down(project, view.retrained_until_ms, to_ms));
  return retraining(context, project, to_ms);
}

Result<void> Projects::submitted(sql::Txn& txn, const Context& context,
                                 const pipeline::TriggerSpec& trigger, const events::Event* event) {
  CHECK(event != nullptr);
  TRY(const std::int64_t to_ms, end_of_window(*event));
  std::optional<Project> project;
  std::int64_t retrained_until_ms = 0;
  TRY(
      txn.query("SELECT submission, retrained_until_ms FROM projects "
                "WHERE workspace = $1 AND name = $2",
                {std::string_view(context.workspace), std::string_view(trigger.pipeline)},
                [&](const sql::Row& row) -> Result<void> {
                  TRY(const auto submission, json::read<Submission>(row.text(0)));
                  TRY(project, project_of(submission));
                  retrained_until_ms = row.integer(1);
                  return {};
                }));
  if (!project) return failed_precondition("project " + quoted(trigger.pipeline) + " is gone");
  TRY(check_cool_down(*project, retrained_until_ms, to_ms));
  TRY(txn.execute(
      "UPDATE projects SET retrained_until_ms = $3 WHERE workspace = $1 AND name = $2",
      {std::string_view(context.workspace), std::string_view(trigger.pipeline), to_ms}));
  return {};
}

std::span<const blob::Column> blob_columns() {
  static constexpr blob::Column kColumns[] = {{"projects", "submission"}};
  return kColumns;
}

}  // namespace ciclo::steps
