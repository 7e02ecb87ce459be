// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "migrate/holdings.h"
#include "sql/database.h"

namespace ciclo::migrate {

// What a workspace of our own database holds.
class CicloDatabase final : public Holdings {
 public:
  // The database must outlive this.
  explicit CicloDatabase(sql::Database& database, std::string workspace = "default")
      : database_(database), workspace_(std::move(workspace)) {}

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
  sql::Database& database_;
  const std::string workspace_;
};

}  // namespace ciclo::migrate
