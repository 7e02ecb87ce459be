// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "migrate/source.h"
#include "sql/database.h"

// Which of the schemas of MLflow's database is in front of us. MLflow names each by a revision, in
// its table alembic_version; the revisions follow one another in one line.

namespace ciclo::migrate {

// The newest that this program knows, and the only one that an export writes: MLflow 3.17.
inline constexpr std::string_view kNewestRevision = "dc11669786a5";
// What is read, for messages.
inline constexpr std::string_view kReadReleases = "MLflow 2.8 to 3.17";

// What distinguishes the schemas that we read, as far as it matters to us.
struct MlflowSchema {
  std::string revision;
  bool has_models = false;       // logged models, of MLflow 3
  bool has_output_step = false;  // the step of a run's output
  bool has_workspaces = false;   // experiments and registered models belong to one
};

// failed_precondition when the database is none of MLflow's, or of a release that is not read.
Result<MlflowSchema> read_schema(sql::Reader& reader);

// What such a database holds that is not copied.
Result<std::vector<NotCopied>> find_not_copied(sql::Reader& reader, const MlflowSchema& schema);

// The URL that sql::open takes for one that MLflow takes: "sqlite:///relative.db",
// "sqlite:////absolute.db", "postgresql+psycopg2://…". Others stay as they are.
std::string database_url(std::string_view mlflow_url);

}  // namespace ciclo::migrate
