// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/json.h"
#include "base/result.h"
#include "blob/columns.h"
#include "blob/store.h"
#include "lineage/types.h"
#include "sql/database.h"

// Artifacts, the executions that used and made them, and the questions about both. Bytes go to the
// blob store first, rows follow in one transaction: a row never names bytes that are not there; a
// crash between the two leaves bytes that nobody names, which is harmless. Safe to share between
// threads.

namespace ciclo::lineage {

struct Limits {
  std::size_t files_max = 100'000;  // of one artifact
  std::size_t nodes_max = 2'000;    // artifacts in one graph
  int depth_max = 64;               // executions between the start and the end of a graph
};

class Lineage {
 public:
  // All must outlive the service.
  Lineage(sql::Database& database, blob::Store& blobs, Clock& clock, IdSource& ids,
          Limits limits = Limits());

  // --- Trees: bytes only, no rows
  // -----------------------------------------------------------------

  // Stores all files below the directory. Only plain files and directories: anything else, a
  // symbolic link too, is invalid_argument and named. Empty directories are not kept.
  Result<Tree> store_directory(const Context& context, const std::filesystem::path& directory);

  // A tree of blobs that are in the store already; computes its hash. invalid_argument for a path
  // that is absolute, has an empty, "." or ".." part, or appears twice.
  Result<Tree> make_tree(std::vector<File> files) const;

  // Makes the directory, which must not exist, with the tree in it: hard links to the blobs where
  // the file system allows, copies elsewhere; files are read-only. Appears whole or not at all.
  Result<void> materialise(const Context& context, const Tree& tree,
                           const std::filesystem::path& directory);

  // --- Rows
  // ---------------------------------------------------------------------------------------

  // Adds an artifact within the caller's transaction. `properties` must be an object or null.
  Result<Artifact> add_artifact(const Context& context, sql::Txn& txn, std::string_view type,
                                const Tree& tree, json::Value properties);
  // The same in a transaction of its own, from a directory.
  Result<Artifact> create_artifact(const Context& context, std::string_view type,
                                   const std::filesystem::path& directory, json::Value properties);

  // Records an execution that has ended, with its edges, within the caller's transaction. An empty
  // execution_id is replaced by a new one; the id is returned. not_found for an unknown artifact.
  Result<ExecutionId> add_execution(const Context& context, sql::Txn& txn, Execution execution);

  // not_found when there is none in the workspace.
  Result<Artifact> artifact(const Context& context, const ArtifactId& id);
  Result<Tree> tree(const Context& context, const ArtifactId& id);
  Result<Execution> execution(const Context& context, const ExecutionId& id);

  // Newest first; all types when `type` is empty; only artifacts before `before` when it is not
  // empty.
  Result<std::vector<Artifact>> list_artifacts(const Context& context, std::string_view type,
                                               const ArtifactId& before, int limit);

  // --- Questions
  // ----------------------------------------------------------------------------------

  // The execution that made the artifact first; not_found when it was put in from outside.
  Result<Execution> producer(const Context& context, const ArtifactId& id);

  // All that the artifact came from, and all that came from it, itself included, within `depth`
  // executions (at most Limits::depth_max).
  Result<Graph> upstream(const Context& context, const ArtifactId& id, int depth);
  Result<Graph> downstream(const Context& context, const ArtifactId& id, int depth);

 private:
  sql::Database& database_;
  blob::Store& blobs_;
  Clock& clock_;
  IdSource& ids_;
  const Limits limits_;
};

// The module's migrations.
std::span<const sql::Migration> schema();
// Where its tables name blobs.
std::span<const blob::Column> blob_columns();

}  // namespace ciclo::lineage
