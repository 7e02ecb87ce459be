// SPDX-License-Identifier: Apache-2.0
#include "migrate/mlflow_schema.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "sql/dialect.h"

namespace ciclo::migrate {

namespace {

// In their order, from the one that brought the last of the columns that we need (MLflow 2.8).
constexpr std::array kRevisions = std::to_array<std::string_view>({
    "acf3f17fdcc7",  "867495a8f9d4",  "5b0e9adcef9c", "4465047574b1", "f5a4f2784254",
    "0584bdc529eb",  // the last of MLflow 2
    "400f98739977",  "6953534de441",  "bda7b8c39065", "cbc13b556ace", "770bee3ae1dd",
    "a1b2c3d4e5f6",  "de4033877273",  "1a0cddfcaa16", "534353b11cbc", "71994744cf8e",
    "3da73c924c2f",  "bf29a5ff90ea",  // MLflow 3.6
    "1bd49d398cd23", "b7c8d9e0f1a2",  "5d2d30f0abce", "c9d4e5f6a7b8", "2c33131f4dae",
    "d3e4f5a6b7c8",  "d0e1f2a3b4c5",  "c8d9e0f1a2b3", "1b5f0d9ad7c1", "e1f2a3b4c5d6",
    "76601a5f987d",  "c3d6457b6d8a",  "a5b4c3d2e1f0", "ae8bbe7743c9", "7d34483879f0",
    "da6fb0208061",  "89d3d66ed43f",  "b7e4c1a90f23", "a8b9c0d1e2f3", "c1d2e3f4a5b6",
    "c3d9e7f1a2b4",  "6f8d9c3b2a1e",  "1971f2d9a75b", "17e22815139b", "b7e2c1a4d9f3",
    "75868b020152",  kNewestRevision,
});

bool is_from(std::string_view revision, std::string_view first) {
  const auto place = [](std::string_view one) {
    return std::find(kRevisions.begin(), kRevisions.end(), one);
  };
  return place(revision) >= place(first);
}

struct Rest {
  std::string_view table;
  std::string_view condition;
  std::string_view what;
  std::string_view reason;
};

constexpr std::string_view kNoPlace = "Ciclo has no place for them";
constexpr std::string_view kOtherWorkspace =
    "they are in a workspace other than \"default\", and only that one is copied";

constexpr std::array kRest = std::to_array<Rest>({
    {"runs", "NOT EXISTS (SELECT 1 FROM experiments e WHERE e.experiment_id = runs.experiment_id)",
     "runs", "their experiment is not in the database"},
    {"trace_info", "", "traces", "their spans and assessments are not copied either"},
    {"webhooks", "deleted_timestamp IS NULL", "webhooks",
     "their secrets are encrypted with a key of the MLflow server: create them again"},
    {"evaluation_datasets", "", "evaluation data sets", kNoPlace},
    {"scorers", "", "scorers", kNoPlace},
    {"label_schemas", "", "label schemas", kNoPlace},
    {"review_queues", "", "review queues", kNoPlace},
    {"issues", "", "issues", kNoPlace},
    {"endpoints", "", "gateway endpoints", kNoPlace},
    {"secrets", "", "gateway secrets", "they are encrypted with a key of the MLflow server"},
    {"mcp_servers", "", "MCP servers", kNoPlace},
});

constexpr std::array kRestOfWorkspaces = std::to_array<Rest>({
    {"experiments", "workspace <> 'default'", "experiments", kOtherWorkspace},
    {"registered_models", "workspace <> 'default'", "registered models", kOtherWorkspace},
});

Result<void> count(sql::Reader& reader, const Rest& rest, std::vector<NotCopied>& out) {
  TRY(const bool is_there, sql::has_table(reader, rest.table));
  if (!is_there) return {};
  std::string statement = "SELECT COUNT(*) FROM " + std::string(rest.table);
  if (!rest.condition.empty()) statement += " WHERE " + std::string(rest.condition);
  TRY(const auto found,
      reader.query_one(statement, {}, [](const sql::Row& row) { return row.integer(0); }));
  if (found.value_or(0) == 0) return {};
  out.push_back({std::string(rest.what), *found, std::string(rest.reason)});
  return {};
}

}  // namespace

Result<MlflowSchema> read_schema(sql::Reader& reader) {
  TRY(const bool is_there, sql::has_table(reader, "alembic_version"));
  if (!is_there) {
    return failed_precondition(
        "this is no MLflow database: it has no table alembic_version; an MLflow server makes one "
        "with `mlflow db upgrade URI`");
  }
  TRY(const auto revisions, reader.query_all("SELECT version_num FROM alembic_version", {},
                                             [](const sql::Row& row) { return row.string(0); }));
  const std::string revision = revisions.size() == 1 ? revisions.front() : join(revisions, "+");
  if (std::find(kRevisions.begin(), kRevisions.end(), revision) == kRevisions.end()) {
    return failed_precondition("the MLflow database has schema revision " + quoted(revision) +
                               ", which is not read: supported are those of " +
                               std::string(kReadReleases) + ", the newest being " +
                               std::string(kNewestRevision) +
                               "; `mlflow db upgrade URI` brings an older one there");
  }
  return MlflowSchema{.revision = revision,
                      .has_models = is_from(revision, "400f98739977"),
                      .has_output_step = is_from(revision, "6953534de441"),
                      .has_workspaces = is_from(revision, "1b5f0d9ad7c1")};
}

Result<std::vector<NotCopied>> find_not_copied(sql::Reader& reader, const MlflowSchema& schema) {
  std::vector<NotCopied> out;
  for (const Rest& rest : kRest) TRY(count(reader, rest, out));
  if (!schema.has_workspaces) return out;
  for (const Rest& rest : kRestOfWorkspaces) TRY(count(reader, rest, out));
  return out;
}

std::string database_url(std::string_view mlflow_url) {
  constexpr std::string_view kSqlite = "sqlite:///";
  if (mlflow_url.starts_with(kSqlite)) {
    return "sqlite:" + std::string(mlflow_url.substr(kSqlite.size()));
  }
  const std::size_t plus = mlflow_url.find('+');
  const std::size_t scheme_end = mlflow_url.find("://");
  if (scheme_end == std::string_view::npos || plus > scheme_end) return std::string(mlflow_url);
  return database_url(std::string(mlflow_url.substr(0, plus)) +
                      std::string(mlflow_url.substr(scheme_end)));
}

}  // namespace ciclo::migrate
