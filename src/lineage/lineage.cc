// SPDX-License-Identifier: Apache-2.0
#include "lineage/lineage.h"

#include <algorithm>
#include <functional>
#include <set>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "lineage/store.h"
#include "lineage/tree.h"

namespace ciclo::lineage {
namespace {

namespace fs = std::filesystem;
using store::Direction;

Error no_artifact(const ArtifactId& id) {
  return not_found("artifact " + ciclo::quoted(id.str()) + " does not exist");
}

Result<Artifact> require_artifact(sql::Reader& reader, const Context& context,
                                  const ArtifactId& id) {
  TRY(auto found, store::find_artifact(reader, context.workspace, id));
  if (!found) return no_artifact(id);
  return std::move(*found);
}

Result<json::Value> object_or_empty(json::Value properties) {
  if (properties.is_null()) return json::Value::object();
  if (properties.is_object()) return properties;
  return invalid_argument("properties must be an object, got " +
                          std::string(json::kind_name(properties.kind())));
}

// Breadth first from one artifact along one direction of the edges.
class Search {
 public:
  Search(sql::Reader& reader, const Context& context, Direction direction, const Limits& limits)
      : reader_(reader), context_(context), direction_(direction), limits_(limits) {}

  Result<Graph> from(const ArtifactId& start, int depth) {
    TRY(auto artifact, require_artifact(reader_, context_, start));
    seen_artifacts_.insert(start);
    graph_.artifacts.push_back(std::move(artifact));
    std::size_t level_begin = 0;
    for (int level = 0; level_begin < graph_.artifacts.size(); ++level) {
      const std::size_t level_end = graph_.artifacts.size();
      for (std::size_t i = level_begin; i < level_end; ++i) {
        TRY(follow(graph_.artifacts[i].artifact_id, level < depth));
      }
      level_begin = level_end;
    }
    std::ranges::sort(graph_.executions, std::greater(), &Execution::execution_id);
    return std::move(graph_);
  }

 private:
  // To the executions that made the artifact, or used it, and on to what lies behind them.
  Result<void> follow(ArtifactId id, bool within_depth) {
    const bool up = direction_ == Direction::kInput;
    TRY(const auto executions,
        store::executions_of(reader_, id, up ? Direction::kOutput : Direction::kInput));
    for (const auto& execution_id : executions) {
      if (seen_executions_.contains(execution_id)) continue;
      if (!within_depth) {
        graph_.truncated = true;
        return {};
      }
      seen_executions_.insert(execution_id);
      TRY(auto execution, store::find_execution(reader_, context_.workspace, execution_id));
      if (!execution) continue;
      for (const auto& port : up ? execution->inputs : execution->outputs) {
        TRY(visit(port.artifact_id));
      }
      graph_.executions.push_back(std::move(*execution));
    }
    return {};
  }

  Result<void> visit(const ArtifactId& id) {
    if (seen_artifacts_.contains(id)) return {};
    if (graph_.artifacts.size() >= limits_.nodes_max) {
      graph_.truncated = true;
      return {};
    }
    seen_artifacts_.insert(id);
    TRY(auto artifact, require_artifact(reader_, context_, id));
    graph_.artifacts.push_back(std::move(artifact));
    return {};
  }

  sql::Reader& reader_;
  const Context& context_;
  const Direction direction_;
  const Limits& limits_;
  Graph graph_;
  std::set<ArtifactId> seen_artifacts_;
  std::set<ExecutionId> seen_executions_;
};

}  // namespace

Lineage::Lineage(sql::Database& database, blob::Store& blobs, Clock& clock, IdSource& ids,
                 Limits limits)
    : database_(database), blobs_(blobs), clock_(clock), ids_(ids), limits_(limits) {}

Result<Tree> Lineage::store_directory(const Context& context, const fs::path& directory) {
  TRY(const auto paths, list_files(directory, limits_.files_max));
  std::vector<File> files;
  for (const auto& path : paths) {
    TRY(context.check_deadline(clock_));
    TRY(check_relative_path(path));
    TRY(auto stored, blobs_.put_file((directory / path).string()));
    files.push_back({path, std::move(stored.hash), stored.size});
  }
  return make_tree(std::move(files));
}

Result<Tree> Lineage::make_tree(std::vector<File> files) const {
  if (files.size() > limits_.files_max) {
    return resource_exhausted("an artifact may hold " + std::to_string(limits_.files_max) +
                              " files, got " + std::to_string(files.size()));
  }
  return lineage::make_tree(std::move(files));
}

Result<void> Lineage::materialise(const Context& context, const Tree& tree,
                                  const fs::path& directory) {
  std::error_code failure;
  if (fs::exists(directory, failure)) {
    return already_exists("cannot write an artifact to " + directory.string() +
                          ": the directory exists");
  }
  const fs::path target = fs::absolute(directory, failure);
  const fs::path partial = target.parent_path() / (".partial-" + ids_.next());
  fs::create_directories(partial, failure);
  if (failure) return file_error("make directory", partial, failure.value());
  auto written = write_tree(blobs_, tree, partial, [&] { return context.check_deadline(clock_); });
  if (written.ok()) fs::rename(partial, target, failure);
  if (failure) written = file_error("rename to", target, failure.value());
  if (!written.ok()) fs::remove_all(partial, failure);
  return written;
}

Result<Artifact> Lineage::add_artifact(const Context& context, sql::Txn& txn, std::string_view type,
                                       const Tree& tree, json::Value properties) {
  if (type.empty()) return invalid_argument("the type of an artifact must not be empty");
  TRY(properties, object_or_empty(std::move(properties)));
  const Artifact artifact{ids_.next_id<ArtifactId>(),
                          std::string(type),
                          tree.hash,
                          tree.size(),
                          static_cast<std::int64_t>(tree.files.size()),
                          std::move(properties),
                          clock_.now_ms()};
  TRY(store::insert_artifact(txn, context.workspace, artifact, tree));
  return artifact;
}

Result<Artifact> Lineage::create_artifact(const Context& context, std::string_view type,
                                          const fs::path& directory, json::Value properties) {
  TRY(const Tree tree, store_directory(context, directory));
  return database_.transact(
      [&](sql::Txn& txn) { return add_artifact(context, txn, type, tree, properties); });
}

Result<ExecutionId> Lineage::add_execution(const Context& context, sql::Txn& txn,
                                           Execution execution) {
  if (execution.execution_id.empty()) execution.execution_id = ids_.next_id<ExecutionId>();
  TRY(execution.properties, object_or_empty(std::move(execution.properties)));
  for (const auto* ports : {&execution.inputs, &execution.outputs}) {
    for (const auto& port : *ports) {
      const auto found = require_artifact(txn, context, port.artifact_id);
      if (!found.ok()) return found.error().with_context("port " + ciclo::quoted(port.port));
    }
  }
  TRY(store::insert_execution(txn, context.workspace, execution));
  return execution.execution_id;
}

Result<Artifact> Lineage::artifact(const Context& context, const ArtifactId& id) {
  return database_.view([&](sql::Reader& reader) { return require_artifact(reader, context, id); });
}

Result<Tree> Lineage::tree(const Context& context, const ArtifactId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<Tree> {
    TRY(const auto artifact, require_artifact(reader, context, id));
    return store::read_tree(reader, artifact);
  });
}

Result<Execution> Lineage::execution(const Context& context, const ExecutionId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<Execution> {
    TRY(auto found, store::find_execution(reader, context.workspace, id));
    if (!found) return not_found("execution " + ciclo::quoted(id.str()) + " does not exist");
    return std::move(*found);
  });
}

Result<std::vector<Artifact>> Lineage::list_artifacts(const Context& context, std::string_view type,
                                                      const ArtifactId& before, int limit) {
  return database_.view([&](sql::Reader& reader) {
    return store::list_artifacts(reader, context.workspace, type, before.str(), limit);
  });
}

Result<Execution> Lineage::producer(const Context& context, const ArtifactId& id) {
  return database_.view([&](sql::Reader& reader) -> Result<Execution> {
    TRY(require_artifact(reader, context, id));
    TRY(const auto makers, store::executions_of(reader, id, Direction::kOutput));
    if (makers.empty()) {
      return not_found("artifact " + ciclo::quoted(id.str()) + " was made by no execution");
    }
    TRY(auto found, store::find_execution(reader, context.workspace, makers.front()));
    if (!found) return internal("execution " + makers.front().str() + " is in no workspace");
    return std::move(*found);
  });
}

Result<Graph> Lineage::upstream(const Context& context, const ArtifactId& id, int depth) {
  return database_.view([&](sql::Reader& reader) {
    return Search(reader, context, Direction::kInput, limits_)
        .from(id, std::min(depth, limits_.depth_max));
  });
}

Result<Graph> Lineage::downstream(const Context& context, const ArtifactId& id, int depth) {
  return database_.view([&](sql::Reader& reader) {
    return Search(reader, context, Direction::kOutput, limits_)
        .from(id, std::min(depth, limits_.depth_max));
  });
}

std::span<const blob::Column> blob_columns() {
  // Steps put the hashes of statistics and schemas into properties.
  static constexpr blob::Column kColumns[] = {
      {"artifact_files", "hash"}, {"artifacts", "properties"}, {"executions", "properties"}};
  return kColumns;
}

}  // namespace ciclo::lineage
