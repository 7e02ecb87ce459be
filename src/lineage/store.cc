// SPDX-License-Identifier: Apache-2.0
#include "lineage/store.h"

#include <utility>

namespace ciclo::lineage::store {
namespace {

constexpr std::string_view kInput = "input";
constexpr std::string_view kOutput = "output";

Result<json::Value> read_properties(const sql::Row& row, int column) {
  auto properties = json::parse(row.text(column));
  if (properties.ok()) return properties;
  return data_loss("stored properties are not JSON: " + properties.error().message);
}

Result<Artifact> read_artifact(const sql::Row& row) {
  TRY(auto properties, read_properties(row, 5));
  return Artifact{ArtifactId(row.string(0)),
                  row.string(1),
                  row.string(2),
                  static_cast<std::uint64_t>(row.integer(3)),
                  row.integer(4),
                  std::move(properties),
                  row.integer(6)};
}

Result<void> insert_ports(sql::Txn& txn, const ExecutionId& id, std::string_view direction,
                          const std::vector<PortArtifact>& ports) {
  std::vector<sql::Params> rows;
  for (const auto& port : ports) {
    rows.push_back({id.str(), direction, port.port, port.artifact_id.str()});
  }
  TRY(txn.execute_many(R"sql(
      INSERT INTO execution_artifacts (execution_id, direction, port, artifact_id)
      VALUES ($1, $2, $3, $4))sql",
                       rows));
  return {};
}

Result<void> read_ports(sql::Reader& reader, Execution& execution) {
  return reader.query(R"sql(
      SELECT direction, port, artifact_id FROM execution_artifacts
      WHERE execution_id = $1 ORDER BY direction, port)sql",
                      {execution.execution_id.str()}, [&](const sql::Row& row) -> Result<void> {
                        auto& ports = row.text(0) == kInput ? execution.inputs : execution.outputs;
                        ports.push_back({row.string(1), ArtifactId(row.string(2))});
                        return {};
                      });
}

}  // namespace

Result<void> insert_artifact(sql::Txn& txn, std::string_view workspace, const Artifact& artifact,
                             const Tree& tree) {
  const std::string properties = json::dump(artifact.properties);
  TRY(txn.execute(R"sql(
      INSERT INTO artifacts (id, workspace, type, hash, size, files_count, properties, created_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8))sql",
                  {artifact.artifact_id.str(), workspace, artifact.type, artifact.hash,
                   static_cast<std::int64_t>(artifact.size), artifact.files_count,
                   std::string_view(properties), artifact.created_ms}));
  std::vector<sql::Params> rows;
  for (const auto& file : tree.files) {
    rows.push_back(
        {artifact.artifact_id.str(), file.path, file.hash, static_cast<std::int64_t>(file.size)});
  }
  TRY(txn.execute_many(
      "INSERT INTO artifact_files (artifact_id, path, hash, size) VALUES ($1, $2, $3, $4)", rows));
  return {};
}

Result<void> insert_execution(sql::Txn& txn, std::string_view workspace,
                              const Execution& execution) {
  const std::string properties = json::dump(execution.properties);
  TRY(txn.execute(
      R"sql(
      INSERT INTO executions (id, workspace, kind, name, state, properties, started_ms, ended_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8))sql",
      {execution.execution_id.str(), workspace, execution.kind, execution.name, execution.state,
       std::string_view(properties), execution.started_ms, execution.ended_ms}));
  TRY(insert_ports(txn, execution.execution_id, kInput, execution.inputs));
  TRY(insert_ports(txn, execution.execution_id, kOutput, execution.outputs));
  return {};
}

Result<std::optional<Artifact>> find_artifact(sql::Reader& reader, std::string_view workspace,
                                              const ArtifactId& id) {
  std::optional<Artifact> found;
  TRY(reader.query(R"sql(
      SELECT id, type, hash, size, files_count, properties, created_ms FROM artifacts
      WHERE id = $1 AND workspace = $2)sql",
                   {id.str(), workspace}, [&](const sql::Row& row) -> Result<void> {
                     TRY(found, read_artifact(row));
                     return {};
                   }));
  return found;
}

Result<Tree> read_tree(sql::Reader& reader, const Artifact& artifact) {
  Tree tree;
  tree.hash = artifact.hash;
  TRY(tree.files,
      reader.query_all(
          "SELECT path, hash, size FROM artifact_files WHERE artifact_id = $1 ORDER BY path",
          {artifact.artifact_id.str()}, [](const sql::Row& row) {
            return File{row.string(0), row.string(1), static_cast<std::uint64_t>(row.integer(2))};
          }));
  return tree;
}

Result<std::optional<Execution>> find_execution(sql::Reader& reader, std::string_view workspace,
                                                const ExecutionId& id) {
  std::optional<Execution> found;
  TRY(reader.query(R"sql(
      SELECT kind, name, state, properties, started_ms, ended_ms FROM executions
      WHERE id = $1 AND workspace = $2)sql",
                   {id.str(), workspace}, [&](const sql::Row& row) -> Result<void> {
                     TRY(auto properties, read_properties(row, 3));
                     found = Execution{id,
                                       row.string(0),
                                       row.string(1),
                                       row.string(2),
                                       std::move(properties),
                                       row.integer(4),
                                       row.integer(5),
                                       {},
                                       {}};
                     return {};
                   }));
  if (found) TRY(read_ports(reader, *found));
  return found;
}

Result<std::vector<Artifact>> list_artifacts(sql::Reader& reader, std::string_view workspace,
                                             std::string_view type, std::string_view before,
                                             int limit) {
  std::vector<Artifact> listed;
  const auto on_row = [&](const sql::Row& row) -> Result<void> {
    TRY(auto artifact, read_artifact(row));
    listed.push_back(std::move(artifact));
    return {};
  };
  // Ids are hexadecimal digits: "g" is after all of them.
  const std::string_view end = before.empty() ? "g" : before;
  if (type.empty()) {
    TRY(reader.query(R"sql(
        SELECT id, type, hash, size, files_count, properties, created_ms FROM artifacts
        WHERE workspace = $1 AND id < $2 ORDER BY id DESC LIMIT $3)sql",
                     {workspace, end, std::int64_t{limit}}, on_row));
  } else {
    TRY(reader.query(R"sql(
        SELECT id, type, hash, size, files_count, properties, created_ms FROM artifacts
        WHERE workspace = $1 AND type = $2 AND id < $3 ORDER BY id DESC LIMIT $4)sql",
                     {workspace, type, end, std::int64_t{limit}}, on_row));
  }
  return listed;
}

Result<std::vector<ExecutionId>> executions_of(sql::Reader& reader, const ArtifactId& id,
                                               Direction direction) {
  return reader.query_all(R"sql(
      SELECT DISTINCT execution_id FROM execution_artifacts
      WHERE artifact_id = $1 AND direction = $2 ORDER BY execution_id)sql",
                          {id.str(), direction == Direction::kInput ? kInput : kOutput},
                          [](const sql::Row& row) { return ExecutionId(row.string(0)); });
}

}  // namespace ciclo::lineage::store
