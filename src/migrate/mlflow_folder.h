// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "migrate/source.h"

namespace ciclo::migrate {

// What MLflow's file store holds: the folder ./mlruns, which its client used by default before
// MLflow 3.7. Read only; nobody may write it meanwhile. It holds the names of all runs and logged
// models, about 150 bytes for each, and else what one call reads.
//
// Points that were logged twice alike are one, as in MLflow's database; so is, of a logged model's
// metrics, the latest of each metric, run and data set.
class MlflowFolder final : public Source {
 public:
  // not_found when there is no such directory, failed_precondition when it holds no experiment of
  // MLflow's, or something that cannot be read.
  static Result<std::unique_ptr<MlflowFolder>> open(const std::filesystem::path& folder);

  std::string_view revision() const override { return "files"; }
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
  // Names → folders of experiments, by position.
  using Owners = std::map<std::string, std::size_t, std::less<>>;

  explicit MlflowFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<void> index();
  Result<void> index_experiments(const std::filesystem::path& folder);
  Result<void> index_experiment(const std::filesystem::path& folder);
  Result<void> index_registered();
  Result<void> add(Owners& owners, const std::string& id, std::size_t experiment,
                   std::string_view kind);
  void skip(const std::filesystem::path& folder);
  std::filesystem::path run_folder(const std::string& id, std::size_t experiment) const;
  Result<RunRecord> run(const std::string& id, std::size_t experiment) const;
  Result<ModelRecord> model(const std::string& id, std::size_t experiment) const;

  const std::filesystem::path folder_;
  std::vector<std::filesystem::path> experiments_;  // in the folder or in its .trash
  Owners runs_;
  Owners models_;
  std::vector<std::string> registered_;  // by name
  std::int64_t traces_ = 0;
  std::int64_t skipped_ = 0;  // folders without a meta.yaml
  std::string first_skipped_;
};

}  // namespace ciclo::migrate
