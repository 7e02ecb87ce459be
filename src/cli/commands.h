// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/session.h"
#include "cli/tracked.h"
#include "migrate/export.h"
#include "migrate/migration.h"

// The commands, one function each. What they print goes to standard output, progress and messages
// to standard error.

namespace ciclo::cli {

struct InitOptions {
  std::string file;
  std::string target;
  std::string directory;  // empty: the current one
  bool force = false;     // replace a ciclo.yaml that is there
};
Result<void> init(Session& session, const InitOptions& options);

struct RunOptions {
  bool plan = false;             // say what would run, run nothing
  bool detach = false;           // do not wait
  std::vector<std::string> set;  // "train.parameters.max_depth=8"
};
Result<void> run(Session& session, const RunOptions& options);

struct DataAddOptions {
  std::string name;
  std::vector<std::string> files;
  std::string format;
};
Result<void> data_add(Session& session, const DataAddOptions& options);
Result<void> data_list(Session& session);
Result<void> data_show(Session& session, const std::string& name);
Result<void> data_log(Session& session, const std::string& name);
Result<void> data_validate(Session& session, const std::string& name,
                           const std::string& schema_file);

// What the commands that list have in common.
struct ListOptions {
  std::vector<std::string> experiments;  // names or ids; empty: all
  std::string filter;                    // MLflow's grammar
  std::vector<std::string> order_by;
  std::int64_t limit = 0;  // 0: all
  bool deleted = false;    // those alone
  bool all = false;        // those too

  View view() const { return deleted ? View::kDeleted : all ? View::kAll : View::kActive; }
};

Result<void> models_list(Session& session, const ListOptions& options);
Result<void> models_show(Session& session, const std::string& name);
// How they stood at a time such as 2013-07-01 or 2013-07-01T12:00:00Z.
Result<void> models_list_as_of(Session& session, const std::string& as_of);
Result<void> models_show_as_of(Session& session, const std::string& name, const std::string& as_of);
Result<void> models_history(Session& session, const std::string& name, std::int64_t limit);
Result<void> models_promote(Session& session, const std::string& name, std::int64_t version,
                            const std::string& alias);

Result<void> experiments_list(Session& session, const ListOptions& options);
Result<void> experiments_show(Session& session, const std::string& name_or_id);
// `tags`: "KEY=VALUE".
Result<void> experiments_create(Session& session, const std::string& name,
                                const std::vector<std::string>& tags);
Result<void> experiments_rename(Session& session, const std::string& name_or_id,
                                const std::string& new_name);
Result<void> experiments_delete(Session& session, const std::string& name_or_id);
Result<void> experiments_restore(Session& session, const std::string& name_or_id);

// Runs are named by their ids, or by names that only one run has.
Result<void> runs_list(Session& session, const ListOptions& options);
Result<void> runs_show(Session& session, const std::string& id_or_name);
Result<void> runs_delete(Session& session, const std::vector<std::string>& runs);
Result<void> runs_restore(Session& session, const std::vector<std::string>& runs);

struct CompareOptions {
  std::vector<std::string> runs;
  std::vector<std::string> metrics;  // those alone
  std::vector<std::string> lower;    // metrics of which the lowest value is best,
  std::vector<std::string> higher;   // and the highest, whatever their names say
  bool differences_only = false;
  bool plot = false;  // draw the histories of `metrics`
  std::string html;   // file of a report; empty: none
};
Result<void> runs_compare(Session& session, const CompareOptions& options);

struct ExportOptions {
  ListOptions list;
  std::string format;      // csv, jsonl, parquet; empty: as the file's name says
  std::string file;        // "-": standard output
  bool histories = false;  // a row for each point of each metric
};
Result<void> runs_export(Session& session, const ExportOptions& options);

struct PredictOptions {
  std::string endpoint;
  std::string input;  // a file: CSV, JSON lines or Parquet; "-": one JSON object or array on stdin
  std::int64_t limit = 1000;
};
Result<void> predict(Session& session, const PredictOptions& options);

struct ReplayOptions {
  std::string from;
  std::string to;
  std::string beside;              // another endpoint; empty: none
  std::string label_delay = "1d";  // of event time
  int connections = 4;
};
// Needs a server. Ends with a table by month: requests, live metric of both endpoints, alarms,
// versions, time of predictions.
Result<void> replay(Session& session, const ReplayOptions& options);

// Of what `subject` names: runs/ID, experiments/ID, models/NAME or models/NAME/VERSION. The text
// "-" is read from standard input.
Result<void> comments_add(Session& session, const std::string& subject, const std::string& text);
Result<void> comments_list(Session& session, const std::string& subject, std::int64_t limit);
Result<void> comments_show(Session& session, const std::string& id);
Result<void> comments_edit(Session& session, const std::string& id, const std::string& text);
Result<void> comments_delete(Session& session, const std::string& id);

// What an artifact, or MODEL/VERSION, came from, and what came from it.
Result<void> lineage(Session& session, const std::string& subject);

struct MigrateOptions {
  std::string from;       // URL of an MLflow database, or the folder of its file store
  std::string artifacts;  // what its server has as --artifacts-destination; empty: not needed
  bool dry_run = false;   // say what would be copied
};
// Copies an MLflow database and its artifacts by what the program's wiring does, with a line of
// progress on a terminal, and prints the report. data_loss when source and copy differ at the end.
Result<void> migrate_mlflow(
    Session& session, const MigrateOptions& options,
    const std::function<Result<migrate::Report>(
        const std::function<void(const migrate::Progress&)>& progress)>& run);
struct GcOptions {
  bool dry_run = false;
  std::string older_than;  // "30d"; empty: whatever is deleted
  std::string grace;       // "1d"; empty: the server's
  std::vector<std::string> experiments;
  std::vector<std::string> runs;
};
// Removes for good what is deleted and nothing needs, and values that nothing names.
Result<void> gc(Session& session, const GcOptions& options);

struct MlflowExportOptions {
  std::string to;         // URL of an MLflow database that holds nothing
  std::string artifacts;  // a new directory
};
// The other way. data_loss when what was written differs from what is here.
Result<void> export_mlflow(
    Session& session, const std::function<Result<migrate::ExportReport>(
                          const std::function<void(const migrate::Progress&)>& progress)>& run);

Result<void> status(Session& session);
Result<void> endpoints_list(Session& session);

}  // namespace ciclo::cli
