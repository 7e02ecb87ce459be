// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
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
#include "data/engine.h"
#include "data/ingest.h"
#include "data/schema.h"
#include "data/statistics.h"
#include "data/validate.h"
#include "events/log.h"
#include "sql/database.h"

// The catalog of data sets. A version is an immutable list of Parquet blobs with schema and
// statistics, named by the hash of its content: adding the same content again gives the version
// that is there. Blobs are stored first, then one transaction makes the version visible, so a crash
// leaves nothing half done. Safe to share between threads.

namespace ciclo::data {

struct DataFile {
  std::string path;  // within the version: "part-0.parquet"
  std::string hash;  // in the blob store
  std::int64_t bytes = 0;

  template <class V>
  void fields(V& v) {
    v("path", path);
    v("hash", hash);
    v("bytes", bytes);
  }
};

// What makes a version.
struct VersionContent {
  std::vector<DataFile> files;
  std::int64_t rows = 0;
  Schema schema;
  Statistics statistics;
};

struct DataSetVersion {
  std::string name;
  std::int64_t number = 0;  // from 1, in the order of registration
  std::string hash;         // over (path, hash) of the sorted files; identifies the content
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::vector<DataFile> files;
  Schema schema;
  Statistics statistics;  // empty in lists
  json::Value
      source;  // where it came from: {"files": […]} or {"pipeline_run_id": …, "artifact_id": …}
  std::string artifact_id;  // in lineage; empty when it came from outside
  std::string created_by;
  std::int64_t created_ms = 0;

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("number", number);
    v("hash", hash);
    v("rows", rows);
    v("bytes", bytes);
    v("files", files);
    v("schema", schema);
    v("statistics", statistics);
    v("source", source);
    v.or_default("artifact_id", artifact_id);
    v.or_default("created_by", created_by);
    v("created_ms", created_ms);
  }
};

struct DataSet {
  std::string name;
  std::string description;
  std::int64_t latest = 0;  // version number
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("description", description);
    v("latest", latest);
    v("created_ms", created_ms);
    v("updated_ms", updated_ms);
  }
};

struct Registered {
  DataSetVersion version;
  bool created = false;  // false: the content was there already
};

// A stored file with the name that its owner gave it: "flights.csv".
struct NamedBlob {
  std::string name;
  std::string hash;
};

class DataSets {
 public:
  // All must outlive the catalog. `work_directory` holds what is being ingested.
  DataSets(sql::Database& database, events::Log& events, Clock& clock, blob::Store& blobs,
           const Engine& engine, std::string work_directory);

  // Ingests files into a version of the data set, which is made when it is new. A name has 1 to 128
  // letters, digits, '_', '-' and '.'.
  Result<Registered> add(const Context& context, std::string_view name,
                         const std::vector<std::string>& patterns,
                         const SourceOptions& options = {});

  // The same for files that are stored as blobs; the format is told by their names.
  Result<Registered> add_blobs(const Context& context, std::string_view name,
                               const std::vector<NamedBlob>& blobs,
                               const SourceOptions& options = {});

  // Whether a version keeps to a schema.
  Result<Validation> validate(const Context& context, const DataSetVersion& version,
                              const Schema& schema);

  // Stores Parquet files and computes rows, statistics and schema of them, as input for
  // `register_version`. Paths within the version are part-0.parquet, part-1.parquet, … in the order
  // given.
  Result<VersionContent> store_files(const Context& context,
                                     const std::vector<std::string>& parquet_files);

  // The same for Parquet blobs that are stored already, for instance the files of an artifact.
  Result<VersionContent> read_files(const Context& context, std::vector<DataFile> files);

  // Makes content a version within the caller's transaction; the blobs must be stored. Appends the
  // event dataset.version_created unless the content was there. Call events::Log::wake after the
  // commit.
  Result<Registered> register_version(sql::Txn& txn, const Context& context, std::string_view name,
                                      const VersionContent& content, const json::Value& source,
                                      std::string_view artifact_id = {});

  Result<std::vector<DataSet>> list(const Context& context, std::string_view after = {},
                                    int limit = 100);
  Result<DataSet> find(const Context& context, std::string_view name);

  // `version`: a number, "latest", or a hash of at least 8 digits. not_found names what there is.
  Result<DataSetVersion> get(const Context& context, std::string_view name,
                             std::string_view version = "latest");

  // Newest first, below number `before` when it is not 0; without statistics.
  Result<std::vector<DataSetVersion>> log(const Context& context, std::string_view name,
                                          int limit = 50, std::int64_t before = 0);

  // The files of a version as a table of the engine, by the name that SQL shall use.
  Result<Table> table(const DataSetVersion& version, std::string_view name);

 private:
  sql::Database& database_;
  events::Log& events_;
  Clock& clock_;
  blob::Store& blobs_;
  const Engine& engine_;
  std::string work_directory_;
};

// The version hash of files.
std::string version_hash(std::vector<DataFile> files);

// The module's migrations.
std::span<const sql::Migration> schema();
// Where its tables name blobs.
std::span<const blob::Column> blob_columns();

}  // namespace ciclo::data
