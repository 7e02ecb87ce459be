// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/store_records.h"
#include "tracking/store_records.h"

// What a tracking system with a registry holds, read piece by piece. An MLflow database
// (mlflow_database.h) and Ciclo's own (ciclo_database.h) are read through it alike, so that copies
// in both directions, and the comparison of a copy with what it was made from, are written once.

namespace ciclo::migrate {

using tracking::LoggedModelId;
using tracking::Metric;
using tracking::RunId;
using ExperimentRecord = tracking::store::ExperimentRecord;
using RunRecord = tracking::store::RunRecord;
using ModelRecord = tracking::store::ModelRecord;
using RegisteredRecord = registry::store::ModelRecord;

// Lists are paged by id; what goes in the order of ids is in the order of that system. Each call
// reads one snapshot. Used by one thread at a time.
class Holdings {
 public:
  virtual ~Holdings() = default;

  virtual Result<std::vector<ExperimentRecord>> experiments() = 0;

  // Behind `after`, at most `limit`, in order.
  virtual Result<std::vector<RunId>> run_ids(std::string_view after, std::int64_t limit) = 0;
  virtual Result<std::vector<LoggedModelId>> model_ids(std::string_view after,
                                                       std::int64_t limit) = 0;
  virtual Result<std::vector<std::string>> registered_names(std::string_view after,
                                                            std::int64_t limit) = 0;

  // Those that there are, in any order.
  virtual Result<std::vector<RunRecord>> runs(std::span<const RunId> ids) = 0;
  virtual Result<std::vector<ModelRecord>> models(std::span<const LoggedModelId> ids) = 0;
  virtual Result<std::optional<RegisteredRecord>> registered(const std::string& name) = 0;

  // All points of the runs, in pieces of at most kPointsAtOnce of one run. Those of one run follow
  // one another, and so do those of one key of it. Histories are never held whole.
  static constexpr std::size_t kPointsAtOnce = 10'000;
  using OnPoints = std::function<Result<void>(const RunId&, std::span<const Metric>)>;
  virtual Result<void> points(std::span<const RunId> ids, const OnPoints& on_points) = 0;
};

// Collects points into the pieces that Holdings::points gives out.
class Pieces {
 public:
  explicit Pieces(const Holdings::OnPoints& on_points) : on_points_(on_points) {}

  Result<void> add(std::string_view run, Metric metric) {
    if (run_.str() != run || points_.size() == Holdings::kPointsAtOnce) {
      TRY(flush());
      if (run_.str() != run) run_ = RunId(std::string(run));
    }
    points_.push_back(std::move(metric));
    return {};
  }
  // To be called at the end.
  Result<void> flush() {
    if (points_.empty()) return {};
    TRY(on_points_(run_, points_));
    points_.clear();
    return {};
  }

 private:
  const Holdings::OnPoints& on_points_;
  RunId run_;
  std::vector<Metric> points_;
};

}  // namespace ciclo::migrate
