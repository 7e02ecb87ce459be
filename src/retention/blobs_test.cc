// SPDX-License-Identifier: Apache-2.0
#include "retention/blobs.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "data/datasets.h"
#include "events/log.h"
#include "lineage/lineage.h"
#include "monitor/monitor.h"
#include "pipeline/pipeline.h"
#include "registry/registry.h"
#include "serve/endpoints.h"
#include "sql/test_database.h"
#include "steps/projects.h"
#include "tracking/tracking.h"

namespace ciclo::retention {
namespace {

std::vector<std::string> hashes_in(std::string_view text) {
  std::vector<std::string> found;
  find_hashes(text, [&](std::string_view hash) { found.emplace_back(hash); });
  return found;
}

TEST(FindHashes, takes_runs_of_exactly_64_digits) {
  const std::string a(64, 'a');
  const std::string b(64, '7');
  EXPECT_EQ(hashes_in(a), std::vector{a});
  EXPECT_EQ(hashes_in("{\"files\":[\"" + a + "\",{\"hash\":\"" + b + "\"}]}"), (std::vector{a, b}));
  EXPECT_EQ(hashes_in("blake3:" + a + "\n"), std::vector{a});
  for (const auto& text : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                           std::string(64, 'A'), std::string(64, 'g'), a + b}) {
    EXPECT_TRUE(hashes_in(text).empty()) << text;
  }
}

// Every column that can hold a text, of all modules. A new one stands in its module's
// blob_columns() when it can name a stored value, otherwise in `without_blobs` below: think which.
TEST(BlobColumns, every_column_of_every_table_is_known) {
  sql::TestDatabase database{sql::Engine::kSqlite};
  for (const auto module :
       {events::schema(), lineage::schema(), data::schema(), tracking::schema(), registry::schema(),
        pipeline::schema(), serve::schema(), monitor::schema(), steps::schema()}) {
    ASSERT_TRUE(sql::migrate(*database, module).ok());
  }
  std::set<std::string> named;
  for (const auto& column : all_blob_columns()) {
    named.insert(std::string(column.table) + "." + std::string(column.column));
  }
  const std::set<std::string> without_blobs{
      "comment_texts.comment_id",
      "comment_texts.text",
      "comments.author",
      "comments.comment_id",
      "comments.kind",
      "comments.object",
      "comments.text",
      "comments.workspace",
      "pipeline_engine.owner",
      "traces.trace_id",
      "traces.client_request_id",
      "traces.state",
      "traces.request_preview",
      "traces.response_preview",
      "trace_tags.key",
      "trace_tags.value",
      "trace_metadata.key",
      "trace_metadata.value",
      "spans.span_id",
      "spans.parent_span_id",
      "spans.name",
      "spans.type",
      "spans.status",
      "spans.content",
      "span_attributes.key",
      "span_attributes.value",
      "trace_assessments.assessment_id",
      "trace_assessments.kind",
      "trace_assessments.name",
      "trace_assessments.value",
      "trace_assessments.error",
      "trace_assessments.source_type",
      "trace_assessments.source_id",
      "trace_assessments.run_id",
      "trace_assessments.span_id",
      "trace_assessments.rationale",
      "trace_assessments.metadata",
      "trace_assessments.session",
      "trace_assessments.overrides",
      "trace_runs.run_id",
      "trace_prompts.prompt",
      "model_changes.workspace",
      "model_changes.name",
      "model_changes.kind",
      "model_changes.value",
      "model_changes.previous",
      "model_changes.source",
      "model_changes.run_id",
      "model_changes.caller",
      "endpoint_deployments.caller",
      "capture_segments.day",
      "capture_segments.endpoint",
      "capture_segments.kind",
      "capture_segments.server",
      "alias_moves.alias",
      "alias_moves.caller",
      "alias_moves.name",
      "alias_moves.reason",
      "artifact_entries.directory",
      "artifact_entries.name",
      "artifact_entries.workspace",
      "artifact_files.artifact_id",
      "artifact_files.path",
      "artifacts.hash",
      "artifacts.id",
      "artifacts.type",
      "artifacts.workspace",
      "dataset_versions.artifact_id",
      "dataset_versions.created_by",
      "dataset_versions.hash",
      "dataset_versions.name",
      "dataset_versions.statistics",
      "dataset_versions.table_schema",
      "dataset_versions.workspace",
      "datasets.description",
      "datasets.name",
      "datasets.workspace",
      "endpoint_deployments.endpoint",
      "endpoint_deployments.model",
      "endpoint_deployments.previous",
      "endpoint_deployments.version",
      "endpoints.alias",
      "endpoints.message",
      "endpoints.model",
      "endpoints.monitor",
      "endpoints.name",
      "endpoints.serving_model",
      "endpoints.serving_version",
      "endpoints.state",
      "endpoints.version",
      "endpoints.workspace",
      "event_cursors.consumer",
      "events.body",
      "events.kind",
      "events.subject",
      "events.workspace",
      "execution_artifacts.artifact_id",
      "execution_artifacts.direction",
      "execution_artifacts.execution_id",
      "execution_artifacts.port",
      "executions.id",
      "executions.kind",
      "executions.name",
      "executions.state",
      "executions.workspace",
      "experiment_tags.key",
      "experiment_tags.value",
      "experiments.artifact_location",
      "experiments.lifecycle_stage",
      "experiments.name",
      "experiments.workspace",
      "logged_datasets.digest",
      "logged_datasets.name",
      "logged_datasets.profile",
      "logged_datasets.schema_text",
      "logged_datasets.source",
      "logged_datasets.source_type",
      "logged_model_metrics.dataset_digest",
      "logged_model_metrics.dataset_name",
      "logged_model_metrics.key",
      "logged_model_metrics.run_id",
      "logged_model_params.key",
      "logged_model_params.value",
      "logged_model_tags.key",
      "logged_model_tags.value",
      "logged_models.artifact_location",
      "logged_models.lifecycle_stage",
      "logged_models.model_id",
      "logged_models.model_type",
      "logged_models.name",
      "logged_models.source_run_id",
      "logged_models.status",
      "logged_models.status_message",
      "metric_chunks.data",
      "metric_series.key",
      "model_aliases.alias",
      "model_version_tags.key",
      "model_version_tags.value",
      "model_versions.description",
      "model_versions.model_id",
      "model_versions.run_id",
      "model_versions.run_link",
      "model_versions.source",
      "model_versions.stage",
      "model_versions.storage_uri",
      "model_versions.user_id",
      "monitor_alerts.detail",
      "monitor_alerts.endpoint",
      "monitor_alerts.kind",
      "monitor_alerts.version",
      "monitor_alerts.window_id",
      "monitor_cursors.endpoint",
      "monitor_windows.column_drift",
      "monitor_windows.endpoint",
      "monitor_windows.metrics",
      "monitor_windows.model",
      "monitor_windows.version",
      "monitor_windows.window_id",
      "pipeline_cache.cache_key",
      "pipeline_cache.execution_id",
      "pipeline_cache.key_parts",
      "pipeline_cache.pipeline",
      "pipeline_cache.step",
      "pipeline_cache.workspace",
      "pipeline_executions.error",
      "pipeline_executions.error_code",
      "pipeline_executions.execution_id",
      "pipeline_executions.log",
      "pipeline_executions.pipeline_run_id",
      "pipeline_executions.state",
      "pipeline_executions.step",
      "pipeline_runs.cause",
      "pipeline_runs.error",
      "pipeline_runs.pipeline",
      "pipeline_runs.pipeline_run_id",
      "pipeline_runs.state",
      "pipeline_runs.workspace",
      "pipeline_steps.cache_key",
      "pipeline_steps.error",
      "pipeline_steps.error_code",
      "pipeline_steps.execution_id",
      "pipeline_steps.key_parts",
      "pipeline_steps.pipeline_run_id",
      "pipeline_steps.state",
      "pipeline_steps.why",
      "projects.name",
      "projects.workspace",
      "registered_model_tags.key",
      "registered_model_tags.value",
      "registered_models.description",
      "registered_models.name",
      "registered_models.workspace",
      "run_dataset_tags.key",
      "run_dataset_tags.value",
      "run_models.direction",
      "run_models.model_id",
      "run_params.key",
      "run_params.value",
      "run_tags.key",
      "run_tags.value",
      "runs.artifact_uri",
      "runs.lifecycle_stage",
      "runs.name",
      "runs.run_id",
      "runs.status",
      "runs.user_id",
      "schema_migrations.hash",
      "schema_migrations.module",
      "schema_migrations.name",
      "triggers.last_error",
      "triggers.last_pipeline_run_id",
      "triggers.name",
      "triggers.workspace",
      "webhooks.claim",
      "webhooks.claim_owner",
      "webhooks.description",
      "webhooks.events",
      "webhooks.last_error",
      "webhooks.name",
      "webhooks.secret",
      "webhooks.url",
      "webhooks.webhook_id",
      "webhooks.workspace",
  };
  std::set<std::string> all;
  const auto read = database->read([&](sql::Reader& reader) {
    return reader.query(R"(
        SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'
          AND c.type NOT IN ('BIGINT', 'INTEGER', 'DOUBLE PRECISION'))",
                        {}, [&](const sql::Row& row) -> Result<void> {
                          all.insert(row.string(0));
                          return {};
                        });
  });
  ASSERT_TRUE(read.ok()) << read.error().message;
  for (const auto& column : all) {
    EXPECT_TRUE(named.contains(column) || without_blobs.contains(column))
        << column << " is new: can it name a stored value?";
    EXPECT_FALSE(named.contains(column) && without_blobs.contains(column)) << column;
  }
  for (const auto& column : named) EXPECT_TRUE(all.contains(column)) << column << " is gone";
  for (const auto& column : without_blobs)
    EXPECT_TRUE(all.contains(column)) << column << " is gone";
}

}  // namespace
}  // namespace ciclo::retention
