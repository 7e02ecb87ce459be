// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "migrate/mlflow_schema.h"
#include "migrate/source.h"
#include "sql/database.h"

namespace ciclo::migrate {

// What MLflow's own database holds, on SQLite or PostgreSQL: the workspace "default". Read only.
// Where MLflow's columns may be NULL, an empty text or 0 stands for it; a logged model keeps the
// latest point of each metric, run and data set; a version that was deleted is not there.
class MlflowDatabase final : public Source {
 public:
  // `url` as MLflow or sql::open takes it. not_found when there is no such file,
  // failed_precondition when it is no database of MLflow or of a release that is not read.
  static Result<std::unique_ptr<MlflowDatabase>> open(const std::string& url);

  std::string_view revision() const override { return schema_.revision; }
  Result<Totals> totals() override;
  Result<std::vector<NotCopied>> not_copied() override;
  Result<std::set<std::string>> used_experiments() override;

  Result<std::vector<ExperimentRecord>> experiments() override;
  Result<std::vector<RunId>> run_ids(std::string_view after, std::int64_t limit) override;
  Result<std::vector<LoggedModelId>> model_ids(std::string_view after, std::int64_t limit) override;
  Result<std::vector<std::string>> registered_names(std::string_view after,
                                                    std::int64_t limit) override;
  Result<std::vector<RunRecord>> runs(std::span<const RunId> ids) override;
  Result<std::vector<ModelRecord>> models(std::span<const LoggedModelId> ids) override;
  Result<std::optional<RegisteredRecord>> registered(const std::string& name) override;
  Result<void> points(std::span<const RunId> ids, const OnPoints& on_points) override;

 private:
  MlflowDatabase(std::unique_ptr<sql::Database> database, MlflowSchema schema)
      : database_(std::move(database)), schema_(std::move(schema)) {}

  // " AND e.workspace = 'default'" where there are workspaces.
  std::string in_workspace(std::string_view table) const;

  std::unique_ptr<sql::Database> database_;
  const MlflowSchema schema_;
};

}  // namespace ciclo::migrate
