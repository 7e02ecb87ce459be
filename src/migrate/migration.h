// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "blob/store.h"
#include "migrate/artifact_places.h"
#include "migrate/ciclo_database.h"
#include "migrate/source.h"
#include "migrate/store.h"
#include "sql/database.h"

// Copies what an MLflow database, or folder of files, and its artifacts hold into our database and
// blob store, with ids kept, and compares the copy with its source.
//
// An experiment, a run with all that it logged, a logged model or a registered model with its
// versions is there whole or not at all, together with the mark that it was copied; so a copy that
// was cut off, also by kill -9, goes on where it stopped, and one that is complete copies nothing.
// Memory does not grow with histories or files.

namespace ciclo::migrate {

struct Counts {
  std::int64_t experiments = 0;
  std::int64_t runs = 0;
  std::int64_t params = 0;
  std::int64_t tags = 0;  // of runs
  std::int64_t points = 0;
  std::int64_t models = 0;  // logged ones
  std::int64_t registered = 0;
  std::int64_t versions = 0;
  std::int64_t files = 0;
  std::int64_t bytes = 0;  // of the files
};

struct Report {
  std::string revision;  // of the source's schema
  Totals found;
  Counts copied;    // now
  Counts verified;  // compared and found equal, whenever they were copied
  std::vector<NotCopied> not_copied;
  // What was left where it is or as it is, in sentences; not a failure.
  std::vector<std::string> notes;
  // Where source and copy differ; empty: they are the same.
  std::vector<std::string> differences;
  std::int64_t difference_count = 0;  // also of those that are not named
  bool was_complete = false;          // before this call
};

struct Progress {
  std::string_view phase;  // "runs"
  std::int64_t done = 0;
  std::int64_t total = 0;
  Counts copied;
};

// Where a migration writes.
struct Target {
  sql::Database& database;
  blob::Store& blobs;
  Clock& clock;
  std::string workspace = "default";
};

class Migration {
 public:
  // `name` is what the source is known by when the migration goes on: its URL without a password.
  // All must outlive this; `progress` may be empty.
  Migration(Source& source, std::string name, ArtifactPlaces places, Target target,
            std::function<void(const Progress&)> progress);

  // What there is, what would be copied and what would not; writes nothing. already_exists, naming
  // ids and names, when something else in the database has one that the source has too, and is not
  // the copy of an earlier call. failed_precondition when artifacts are in a place that is not on
  // this machine and that no option names.
  Result<Report> plan();
  // plan(), then copies what is missing.
  Result<Report> copy();
  // Compares everything in the source with what is here, and marks the migration finished when
  // nothing differs. Adds to the report of copy().
  Result<void> verify(Report& report);

 private:
  using Ids = std::vector<std::string>;

  // --- Of the plan
  Result<void> find_conflicts();
  Result<void> refuse_unplaced();
  // Calls `page` for the ids of a kind, some at a time.
  Result<void> each_page(store::Kind kind, const std::function<Result<void>(const Ids&)>& page);
  Result<Ids> existing(sql::Reader& reader, store::Kind kind, const Ids& ids);
  Result<Ids> missing(store::Kind kind, const Ids& ids);

  // --- Of the copy
  Result<void> begin();
  Result<void> copy_experiments(Report& report);
  Result<void> copy_runs(Report& report, const Ids& ids);
  Result<void> copy_models(Report& report, const Ids& ids);
  Result<void> copy_registered(Report& report, const Ids& ids);
  Result<void> copy_points(sql::Txn& txn, std::span<const RunId> ids,
                           std::span<const tracking::store::RunRow> rows, Counts& copied);

  // --- Of the comparison
  Result<void> verify_experiments(Report& report);
  Result<void> verify_runs(Report& report, const Ids& ids);
  Result<void> verify_models(Report& report, const Ids& ids);
  Result<void> verify_registered(Report& report, const Ids& ids);

  // --- Where things are. Each turns the source's places into ours.
  Result<void> relocate(ExperimentRecord& record) const;
  Result<void> relocate(RunRecord& record) const;
  Result<void> relocate(ModelRecord& record) const;
  // A version that keeps its source is noted in the report, if there is one.
  Result<void> relocate(RegisteredRecord& record, Report* report);
  std::int64_t deletion_time(std::optional<std::int64_t> deleted_ms) const;
  // The local URI of a file or directory as ours; nullopt when it lies below no run and no logged
  // model of the source.
  Result<std::optional<std::string>> relocated(const std::string& uri);
  // Stores the files below a local URI; their names are to be linked below `ours`.
  Result<std::vector<tracking::ArtifactLink>> store_files(const std::string& uri,
                                                          const tracking::ArtifactPath& ours,
                                                          Report& report);
  Result<void> verify_files(const std::string& subject, const std::string& uri,
                            const tracking::ArtifactPath& ours, Report& report);
  void differ(Report& report, std::string sentence) const;
  void tell(std::string_view phase, std::int64_t done, std::int64_t total, const Counts& copied);

  Source& source_;
  const std::string name_;
  const ArtifactPlaces places_;
  const Target target_;
  CicloDatabase here_;
  const std::function<void(const Progress&)> progress_;
  std::optional<store::Import> import_;
  std::map<std::string, std::int64_t> deleted_experiments_;  // id → when
  std::int64_t without_folder_ = 0;  // runs and logged models, in this comparison
  std::string first_without_folder_;
};

// The module's migrations.
std::span<const sql::Migration> schema();

}  // namespace ciclo::migrate
