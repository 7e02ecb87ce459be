// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "migrate/holdings.h"
#include "sql/database.h"

// Rows of MLflow's tables, as its release 3.17 has them. The tables are made by MLflow itself
// (`mlflow db upgrade URL`), so that nothing of them is written here but what they hold. Functions
// over a transaction; an object and what it refers to must not be there yet, or be in that order:
// experiments, runs, logged models, registered models. A point or value that MLflow's keys do not
// tell from another (zero and minus zero) is left out, for the comparison at the end to name.

namespace ciclo::migrate::mlflow_writer {

// failed_precondition, with what to do, unless the database has the schema of MLflow 3.17 and holds
// nothing: no run, model or experiment but the first.
Result<void> check_is_empty(sql::Reader& reader);

// The one that `mlflow db upgrade` makes: ours, if there is one, takes its number and name.
Result<void> remove_default_experiment(sql::Txn& txn);
Result<void> insert(sql::Txn& txn, const ExperimentRecord& record);
// The next experiment gets a greater number.
Result<void> reserve_experiments(sql::Txn& txn, std::int64_t greatest);
Result<void> insert(sql::Txn& txn, const RunRecord& record);
Result<void> insert(sql::Txn& txn, const ModelRecord& record);
// A number that was given to a version which is gone stays taken.
Result<void> insert(sql::Txn& txn, const RegisteredRecord& record);

// Points of metrics, and of each run and key the latest of all that came.
class Points {
 public:
  explicit Points(sql::Txn& txn) : txn_(txn) {}

  Result<void> add(const RunId& run, std::span<const Metric> points);
  // To be called when all points of the runs have come.
  Result<void> finish();

 private:
  sql::Txn& txn_;
  std::map<std::pair<std::string, std::string>, Metric> latest_;  // by run and key
};

}  // namespace ciclo::migrate::mlflow_writer
