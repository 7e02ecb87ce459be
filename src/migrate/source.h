// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "migrate/holdings.h"

namespace ciclo::migrate {

// Something that a source holds and that is not copied, and why; only where there is any.
struct NotCopied {
  std::string what;  // "traces"
  std::int64_t count = 0;
  std::string reason;
};

// How much there is to copy.
struct Totals {
  std::int64_t experiments = 0;
  std::int64_t runs = 0;
  std::int64_t models = 0;  // logged ones
  std::int64_t registered = 0;
};

// What a migration reads from: MLflow's database (mlflow_database.h) or its folder of files
// (mlflow_folder.h). Used by one thread at a time.
class Source : public Holdings {
 public:
  // Of what kind it is, for the report: a revision of MLflow's schema, or "files".
  virtual std::string_view revision() const = 0;
  virtual Result<Totals> totals() = 0;
  virtual Result<std::vector<NotCopied>> not_copied() = 0;
  // The ids of the experiments that have runs or logged models.
  virtual Result<std::set<std::string>> used_experiments() = 0;
};

}  // namespace ciclo::migrate
