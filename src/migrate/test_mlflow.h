// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sql/dialect.h"
#include "sql/test_database.h"

namespace ciclo::migrate {

// For tests: a database with the tables of MLflow 3.17 that are read, as far as their columns are.
// The client tests read databases that MLflow itself has made.
class TestMlflow {
 public:
  explicit TestMlflow(sql::Engine engine) : database_(engine) {
    run_all(R"(
      CREATE TABLE alembic_version (version_num TEXT NOT NULL);
      INSERT INTO alembic_version VALUES ('dc11669786a5');
      CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT,
        lifecycle_stage TEXT, creation_time BIGINT, last_update_time BIGINT,
        workspace TEXT DEFAULT 'default' NOT NULL);
      CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
      CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, source_type TEXT, source_name TEXT,
        entry_point_name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
        source_version TEXT, lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER,
        deleted_time BIGINT);
      CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
      CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
      CREATE TABLE metrics (key TEXT, value DOUBLE PRECISION, timestamp BIGINT, run_uuid TEXT,
        step BIGINT, is_nan BOOLEAN);
      CREATE TABLE datasets (dataset_uuid TEXT, experiment_id INTEGER, name TEXT, digest TEXT,
        dataset_source_type TEXT, dataset_source TEXT, dataset_schema TEXT, dataset_profile TEXT);
      CREATE TABLE inputs (input_uuid TEXT, source_type TEXT, source_id TEXT, destination_type TEXT,
        destination_id TEXT, step BIGINT DEFAULT 0 NOT NULL);
      CREATE TABLE input_tags (input_uuid TEXT, name TEXT, value TEXT);
      CREATE TABLE logged_models (model_id TEXT, experiment_id INTEGER, name TEXT,
        artifact_location TEXT, creation_timestamp_ms BIGINT, last_updated_timestamp_ms BIGINT,
        status INTEGER, lifecycle_stage TEXT, model_type TEXT, source_run_id TEXT,
        status_message TEXT);
      CREATE TABLE logged_model_params (model_id TEXT, experiment_id INTEGER, param_key TEXT,
        param_value TEXT);
      CREATE TABLE logged_model_tags (model_id TEXT, experiment_id INTEGER, tag_key TEXT,
        tag_value TEXT);
      CREATE TABLE logged_model_metrics (model_id TEXT, metric_name TEXT,
        metric_timestamp_ms BIGINT, metric_step BIGINT, metric_value DOUBLE PRECISION,
        experiment_id INTEGER, run_id TEXT, dataset_name TEXT, dataset_digest TEXT);
      CREATE TABLE registered_models (name TEXT, creation_time BIGINT, last_updated_time BIGINT,
        description TEXT, workspace TEXT DEFAULT 'default' NOT NULL);
      CREATE TABLE registered_model_tags (key TEXT, value TEXT, name TEXT,
        workspace TEXT DEFAULT 'default' NOT NULL);
      CREATE TABLE registered_model_aliases (alias TEXT, version INTEGER, name TEXT,
        workspace TEXT DEFAULT 'default' NOT NULL);
      CREATE TABLE model_versions (name TEXT, version INTEGER, creation_time BIGINT,
        last_updated_time BIGINT, description TEXT, user_id TEXT, current_stage TEXT, source TEXT,
        run_id TEXT, run_link TEXT, storage_location TEXT,
        workspace TEXT DEFAULT 'default' NOT NULL);
      CREATE TABLE model_version_tags (key TEXT, value TEXT, name TEXT, version INTEGER,
        workspace TEXT DEFAULT 'default' NOT NULL);
      CREATE TABLE trace_info (request_id TEXT);
      INSERT INTO experiments VALUES (0, 'Default', '/nowhere/0', 'active', 5, 6, 'default');
    )");
  }

  const std::string& url() const { return database_.url(); }

  void run_all(std::string_view statements) {
    const auto done = database_->transaction([&](sql::Txn& txn) -> Result<void> {
      for (const auto& statement : sql::split_statements(statements)) TRY(txn.execute(statement));
      return {};
    });
    EXPECT_TRUE(done.ok()) << done.error().message;
  }

 private:
  sql::TestDatabase database_;
};

}  // namespace ciclo::migrate
