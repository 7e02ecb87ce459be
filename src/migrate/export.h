// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "migrate/digest.h"
#include "migrate/migration.h"
#include "sql/database.h"

// Writes what we hold into an MLflow database and a directory, from where MLflow's own server reads
// it: nobody is locked in. The database is one of MLflow 3.17 that holds nothing yet; it and the
// directory are compared with ours. Where MLflow keeps less, its form counts: a value of a logged
// model's metric that is NaN is 0 there, and an infinite one the largest number.

namespace ciclo::migrate {

struct ExportReport {
  Counts written;
  Counts verified;
  // Metrics of logged models whose run was removed for good: MLflow's tables take none without it.
  std::int64_t metrics_without_run = 0;
  std::vector<std::string> differences;  // as in Report
  std::int64_t difference_count = 0;
};

// Reads only: whether the database at that URL of MLflow's fits, as Export::write wants it.
// not_found when there is no such file.
Result<void> check_export_target(const std::string& url);

class Export {
 public:
  // All must outlive this; `progress` may be empty. `artifacts` is made when it is missing.
  Export(Target from, sql::Database& to, std::filesystem::path artifacts,
         std::function<void(const Progress&)> progress);

  // failed_precondition when the database is not as mlflow_writer::check_is_empty wants it, or the
  // directory is not empty; then nothing is written. The files come first, the database at the end
  // in one transaction: what a failure or kill -9 leaves is files, and a database without anything.
  Result<ExportReport> write();
  // Reads the database again through `written`, and adds to the report.
  Result<void> verify(Holdings& written, ExportReport& report);

 private:
  Result<void> make_empty_directory();
  Result<void> write_experiments(sql::Txn& txn, Counts& written);
  Result<void> write_runs(sql::Txn& txn, Counts& written);
  Result<void> write_models(sql::Txn& txn, ExportReport& report);
  Result<void> write_registered(sql::Txn& txn, Counts& written);
  // The logged models as MLflow can keep them, and how many of their metrics that leaves out.
  Result<std::vector<ModelRecord>> models(std::span<const LoggedModelId> ids,
                                          std::int64_t& left_out);
  // The tree of names below `directory`, file by file; each is read again and compared.
  Result<void> write_files(const tracking::ArtifactPath& directory, ExportReport& report);
  Result<void> write_file(const tracking::ArtifactPath& path, const tracking::ArtifactFile& file,
                          ExportReport& report);
  Result<void> verify_experiments(Holdings& written, ExportReport& report);
  Result<void> verify_runs(Holdings& written, ExportReport& report);
  Result<void> verify_models(Holdings& written, ExportReport& report);
  Result<void> verify_registered(Holdings& written, ExportReport& report);
  // Whether an object of ours is among theirs as it is here; says so in the report when it is not.
  bool are_same(ExportReport& report, const std::string& subject, const Digests& ours,
                const std::map<std::string, Digests>& theirs, const std::string& id) const;
  void differ(ExportReport& report, std::string sentence) const;
  void tell(std::string_view phase, std::int64_t done, const Counts& written);

  const Target from_;
  CicloDatabase here_;
  sql::Database& to_;
  const std::filesystem::path artifacts_;
  const std::function<void(const Progress&)> progress_;
};

}  // namespace ciclo::migrate
