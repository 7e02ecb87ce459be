// SPDX-License-Identifier: Apache-2.0
#include "data/datasets.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"
#include "data/store.h"
#include "lineage/tree.h"
#include "sql/dialect.h"
#include "sql/once.h"

namespace ciclo::data {
namespace {

constexpr std::size_t kHashPrefixMin = 8;

Result<void> check_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (!name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), allowed))
    return {};
  return invalid_argument("data set name " + quoted(name) +
                          ": expected 1 to 128 letters, digits, '_', '-' and '.'");
}

bool is_hash_prefix(std::string_view text) {
  return text.size() >= kHashPrefixMin && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// The version's number that "latest", "3" or a hash means.
Result<std::int64_t> resolve(sql::Reader& reader, std::string_view workspace,
                             const DataSet& data_set, std::string_view version) {
  if (version == "latest") return data_set.latest;
  const auto number = parse_int(version);
  if (number && version.size() < 16) {
    if (*number >= 1 && *number <= data_set.latest) return *number;
  } else if (is_hash_prefix(version)) {
    TRY(const auto found, store::find_hash(reader, workspace, data_set.name, version));
    if (found) return *found;
  } else {
    return invalid_argument("data set " + quoted(data_set.name) +
                            ": version must be a number, \"latest\" or at least " +
                            std::to_string(kHashPrefixMin) + " digits of a hash, got " +
                            quoted(version));
  }
  return not_found("data set " + quoted(data_set.name) + " has no version " + quoted(version) +
                   "; its latest is " + std::to_string(data_set.latest));
}

Result<DataSet> find_or_suggest(sql::Reader& reader, std::string_view workspace,
                                std::string_view name) {
  TRY(const auto found, store::find_data_set(reader, workspace, name));
  if (found) return *found;
  TRY(const auto names, store::data_set_names(reader, workspace));
  const std::string_view near = nearest(name, names);
  return not_found("there is no data set " + quoted(name) +
                   (near.empty() ? "" : "; did you mean " + quoted(near) + "?"));
}

// What a registration came to.
struct Entry {
  std::int64_t number = 0;
  bool created = false;

  template <class V>
  void fields(V& v) {
    v("number", number);
    v("created", created);
  }
};

}  // namespace

std::string version_hash(std::vector<DataFile> files) {
  std::vector<lineage::File> tree;
  for (auto& file : files) {
    tree.push_back(
        {std::move(file.path), std::move(file.hash), static_cast<std::uint64_t>(file.bytes)});
  }
  const auto made = lineage::make_tree(std::move(tree));
  CHECK(made.ok());
  return made->hash;
}

DataSets::DataSets(sql::Database& database, events::Log& events, Clock& clock, blob::Store& blobs,
                   const Engine& engine, std::string work_directory)
    : database_(database),
      events_(events),
      clock_(clock),
      blobs_(blobs),
      engine_(engine),
      work_directory_(std::move(work_directory)) {}

Result<Registered> DataSets::add(const Context& context, std::string_view name,
                                 const std::vector<std::string>& patterns,
                                 const SourceOptions& options) {
  TRY(check_name(name));
  std::error_code error;
  std::filesystem::create_directories(work_directory_, error);
  if (error) return internal("cannot make " + work_directory_ + ": " + error.message());
  const TemporaryDirectory work{work_directory_};
  TRY(const Table source,
      open_source(engine_, context, std::string(name), patterns, options, work.path()));
  TRY(const ParquetFile file, snapshot(engine_, context, source, work.path() / "snapshot.parquet"));
  TRY(const auto stored, blobs_.put_file(file.path));
  const std::vector<DataFile> files = {
      {"part-0.parquet", stored.hash, static_cast<std::int64_t>(stored.size)}};

  // Content that is there already needs no second look.
  TRY(const auto known, database_.view([&](sql::Reader& reader) {
    return store::find_hash(reader, context.workspace, name, version_hash(files));
  }));
  VersionContent content{files, file.rows, {}, {}};
  if (!known) {
    TRY(content, read_files(context, files));
  }

  json::Value source_files = json::Value::array();
  for (const auto& label : source.labels) source_files.push_back(label);
  const json::Value origin = json::Value::object({{"files", std::move(source_files)}});
  // Statistics are large: a call that is sent again is answered from the version's number.
  TRY(const Entry entry, sql::once(database_, context, [&](sql::Txn& txn) -> Result<Entry> {
        TRY(const auto registered, register_version(txn, context, name, content, origin));
        return Entry{registered.version.number, registered.created};
      }));
  if (entry.created) events_.wake();
  TRY(auto version, get(context, name, std::to_string(entry.number)));
  return Registered{std::move(version), entry.created};
}

Result<Registered> DataSets::add_blobs(const Context& context, std::string_view name,
                                       const std::vector<NamedBlob>& blobs,
                                       const SourceOptions& options) {
  if (blobs.empty()) return invalid_argument("data set " + quoted(name) + ": no file was named");
  std::error_code error;
  std::filesystem::create_directories(work_directory_, error);
  if (error) return internal("cannot make " + work_directory_ + ": " + error.message());
  const TemporaryDirectory work{work_directory_};
  std::vector<std::string> paths;
  for (const auto& blob : blobs) {
    TRY(const std::string target, blobs_.local_path(blob.hash));
    // A directory of its own each, since two files may have the same name.
    const auto directory = work.path() / std::to_string(paths.size());
    const auto link = directory / std::filesystem::path(blob.name).filename();
    std::filesystem::create_directory(directory, error);
    if (!error) std::filesystem::create_symlink(target, link, error);
    if (error) return file_error("link", link, error.value());
    paths.push_back(link.string());
  }
  return add(context, name, paths, options);
}

Result<Validation> DataSets::validate(const Context& context, const DataSetVersion& version,
                                      const Schema& schema) {
  TRY(const Table table, this->table(version, "t"));
  return data::validate(engine_, context, table, version.statistics, schema);
}

Result<VersionContent> DataSets::store_files(const Context& context,
                                             const std::vector<std::string>& parquet_files) {
  std::vector<DataFile> files;
  for (std::size_t i = 0; i < parquet_files.size(); ++i) {
    TRY(const auto stored, blobs_.put_file(parquet_files[i]));
    files.push_back({"part-" + std::to_string(i) + ".parquet", stored.hash,
                     static_cast<std::int64_t>(stored.size)});
  }
  return read_files(context, std::move(files));
}

Result<VersionContent> DataSets::read_files(const Context& context, std::vector<DataFile> files) {
  DataSetVersion version;
  version.files = files;
  TRY(const Table parquet, table(version, "content"));
  VersionContent content{std::move(files), 0, {}, {}};
  TRY(content.statistics, compute_statistics(engine_, context, parquet));
  content.rows = content.statistics.rows;
  content.schema = infer_schema(content.statistics);
  return content;
}

Result<Registered> DataSets::register_version(sql::Txn& txn, const Context& context,
                                              std::string_view name, const VersionContent& content,
                                              const json::Value& source,
                                              std::string_view artifact_id) {
  TRY(check_name(name));
  if (content.files.empty())
    return invalid_argument("data set " + quoted(name) + ": a version needs a file");
  TRY(sql::serialize(txn, "dataset:" + context.workspace + ":" + std::string(name)));
  const std::string hash = version_hash(content.files);
  TRY(const auto known, store::find_hash(txn, context.workspace, name, hash));
  if (known) {
    TRY(auto version, store::find_version(txn, context.workspace, name, *known));
    CHECK(version.has_value());
    return Registered{*std::move(version), false};
  }
  const std::int64_t now_ms = clock_.now_ms();
  TRY(auto data_set, store::find_data_set(txn, context.workspace, name));
  if (!data_set) data_set = DataSet{std::string(name), "", 0, now_ms, now_ms};
  ++data_set->latest;
  data_set->updated_ms = now_ms;

  DataSetVersion version;
  version.name = data_set->name;
  version.number = data_set->latest;
  version.hash = hash;
  version.rows = content.rows;
  for (const auto& file : content.files) version.bytes += file.bytes;
  version.files = content.files;
  version.schema = content.schema;
  version.statistics = content.statistics;
  version.source = source;
  version.artifact_id = std::string(artifact_id);
  version.created_by = context.caller;
  version.created_ms = now_ms;
  TRY(store::put_data_set(txn, context.workspace, *data_set));
  TRY(store::insert_version(txn, context.workspace, version));
  TRY(events_.append(txn, context.workspace, "dataset.version_created", name,
                     json::Value::object({{"name", version.name},
                                          {"version", version.number},
                                          {"hash", version.hash},
                                          {"rows", version.rows},
                                          {"bytes", version.bytes},
                                          {"artifact_id", version.artifact_id}})));
  return Registered{std::move(version), true};
}

Result<std::vector<DataSet>> DataSets::list(const Context& context, std::string_view after,
                                            int limit) {
  return database_.view([&](sql::Reader& reader) {
    return store::list_data_sets(reader, context.workspace, after, limit);
  });
}

Result<DataSet> DataSets::find(const Context& context, std::string_view name) {
  return database_.view(
      [&](sql::Reader& reader) { return find_or_suggest(reader, context.workspace, name); });
}

Result<DataSetVersion> DataSets::get(const Context& context, std::string_view name,
                                     std::string_view version) {
  return database_.view([&](sql::Reader& reader) -> Result<DataSetVersion> {
    TRY(const DataSet data_set, find_or_suggest(reader, context.workspace, name));
    TRY(const std::int64_t number, resolve(reader, context.workspace, data_set, version));
    TRY(auto found, store::find_version(reader, context.workspace, name, number));
    if (!found)
      return data_loss("data set " + quoted(name) + " has lost version " + std::to_string(number));
    return *std::move(found);
  });
}

Result<std::vector<DataSetVersion>> DataSets::log(const Context& context, std::string_view name,
                                                  int limit, std::int64_t before) {
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<DataSetVersion>> {
    TRY(find_or_suggest(reader, context.workspace, name));
    return store::list_versions(reader, context.workspace, name, before, limit);
  });
}

Result<Table> DataSets::table(const DataSetVersion& version, std::string_view name) {
  Table table;
  table.name = std::string(name);
  for (const auto& file : version.files) {
    TRY(auto path, blobs_.local_path(file.hash));
    table.files.push_back(std::move(path));
    table.labels.push_back(version.name + "/" + file.path);
  }
  return table;
}

std::span<const blob::Column> blob_columns() {
  static constexpr blob::Column kColumns[] = {{"dataset_versions", "files"},
                                              {"dataset_versions", "source"}};
  return kColumns;
}

}  // namespace ciclo::data
