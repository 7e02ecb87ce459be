// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/random.h"
#include "base/result.h"
#include "sql/database.h"
#include "tracking/search.h"
#include "tracking/types.h"

// Logged models: models as MLflow 3 records them, below an experiment, with their own params, tags,
// metrics and artifact folder. Safe to share between threads.

namespace ciclo::tracking {

struct NewLoggedModel {
  ExperimentId experiment_id;
  std::string name;  // empty: generated
  std::string model_type;
  RunId source_run_id;
  std::vector<Param> params;
  std::vector<Tag> tags;
};

struct LoggedModelSearch {
  std::vector<ExperimentId> experiment_ids;
  std::string filter;
  std::vector<DatasetName> datasets;  // metrics of the filter count only where measured on these
  std::vector<std::string> order_by;  // "metrics.auc DESC", "creation_timestamp ASC"
  std::vector<DatasetName> order_datasets;  // for each of them; an empty name: on any
  std::int64_t max_results = 100;           // 1 to 1,000
  std::string page_token;
};

class LoggedModels {
 public:
  // All must outlive the service.
  LoggedModels(sql::Database& database, Clock& clock, IdSource& ids, Random& random);

  Result<LoggedModel> create(const Context& context, const NewLoggedModel& model);
  Result<LoggedModel> get(const Context& context, const LoggedModelId& id);
  Result<LoggedModel> finalize(const Context& context, const LoggedModelId& id,
                               LoggedModelStatus status);
  Result<void> remove(const Context& context, const LoggedModelId& id);
  Result<void> log_params(const Context& context, const LoggedModelId& id,
                          std::span<const Param> params);
  Result<void> set_tags(const Context& context, const LoggedModelId& id, std::span<const Tag> tags);
  Result<void> delete_tag(const Context& context, const LoggedModelId& id, std::string_view key);
  Result<Page<LoggedModel>> search(const Context& context, const LoggedModelSearch& search);

 private:
  sql::Database& database_;
  Clock& clock_;
  IdSource& ids_;
  Random& random_;
};

}  // namespace ciclo::tracking
