// SPDX-License-Identifier: Apache-2.0
// ciclo runs export.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cells.h"
#include "cli/commands.h"
#include "cli/row_writer.h"
#include "cli/tracked.h"

namespace ciclo::cli {
namespace {

constexpr const char* kKinds[] = {"params", "metrics", "tags"};

const std::vector<RowColumn>& own_columns() {
  static const std::vector<RowColumn> kColumns = {{"run_id"},
                                                  {"run_name"},
                                                  {"experiment_id"},
                                                  {"experiment"},
                                                  {"status"},
                                                  {"lifecycle_stage"},
                                                  {"user_id"},
                                                  {"start_time", CellType::kTime},
                                                  {"end_time", CellType::kTime}};
  return kColumns;
}

std::optional<std::string> time_cell(const json::Value& object, std::string_view key) {
  const std::int64_t ms = integer_of(object, key);
  return ms == 0 ? std::nullopt : std::optional(format_utc(ms));
}

std::optional<std::string> text_cell(const json::Value& object, std::string_view key) {
  const json::Value* value = object.find(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return value->is_string() ? value->string() : json::dump(*value);
}

std::optional<std::string> number_cell(const json::Value& object, std::string_view key) {
  const double number = number_of(object, key);
  return std::isnan(number) ? "NaN" : json::dump(json::Value(number));
}

// Runs as lines of JSON in a file, and the keys that were seen: a table's columns are known only
// when its last row is.
class Spool {
 public:
  explicit Spool(const std::filesystem::path& folder)
      : path_(folder / "runs.jsonl"), out_(path_, std::ios::binary) {}

  Result<void> add(const json::Value& run) {
    for (std::size_t kind = 0; kind < 3; ++kind) {
      for (const auto& [key, value] : values_of(run, kKinds[kind])) keys_[kind].insert(key);
    }
    out_ << json::dump(run, json::NonFinite::kString) << '\n';
    ++runs_;
    if (out_.good()) return {};
    return file_error("write", path_, errno);
  }

  Result<void> each(const std::function<Result<void>(const json::Value&)>& use) {
    out_.close();
    std::ifstream in(path_, std::ios::binary);
    for (std::string line; std::getline(in, line);) {
      TRY(const json::Value run, json::parse(line));
      TRY(use(run));
    }
    if (in.bad()) return file_error("read", path_, errno);
    return {};
  }

  std::int64_t runs() const { return runs_; }
  const std::set<std::string>& keys(std::size_t kind) const { return keys_[kind]; }

 private:
  std::filesystem::path path_;
  std::ofstream out_;
  std::set<std::string> keys_[3];
  std::int64_t runs_ = 0;
};

// The table of runs: what is known of each, then a column for each param, metric and tag.
class RunTable {
 public:
  RunTable(const Spool& spool, std::map<std::string, std::string> experiments)
      : columns_(own_columns()), experiments_(std::move(experiments)) {
    for (std::size_t kind = 0; kind < 3; ++kind) {
      for (const auto& key : spool.keys(kind)) {
        places_[kind][key] = columns_.size();
        const bool is_metric = std::string_view(kKinds[kind]) == "metrics";
        columns_.push_back({std::string(kKinds[kind]) + "." + key,
                            is_metric ? CellType::kNumber : CellType::kText});
      }
    }
  }

  const std::vector<RowColumn>& columns() const { return columns_; }

  RowCells row_of(const json::Value& run) const {
    RowCells cells(columns_.size());
    const json::Value none = json::Value::object();
    const json::Value* found = run.find("info");
    const json::Value& info = found == nullptr ? none : *found;
    const auto experiment = experiments_.find(info.string_or("experiment_id", ""));
    for (std::size_t i = 0; i < own_columns().size(); ++i) {
      const RowColumn& column = columns_[i];
      cells[i] = column.type == CellType::kTime ? time_cell(info, column.name)
                                                : text_cell(info, column.name);
      if (column.name == "experiment" && experiment != experiments_.end()) {
        cells[i] = experiment->second;
      }
    }
    for (std::size_t kind = 0; kind < 3; ++kind) {
      for (const auto& [key, value] : values_of(run, kKinds[kind])) {
        const std::size_t place = places_[kind].at(key);
        cells[place] = value.is_string() ? value.string() : json::dump(value);
      }
    }
    return cells;
  }

 private:
  std::vector<RowColumn> columns_;
  std::map<std::string, std::string> experiments_;
  std::map<std::string, std::size_t> places_[3];
};

struct Exported {
  std::int64_t runs = 0;
  std::int64_t points = 0;  // of histories
};

Result<Exported> export_runs(Api& api, const RunSearch& search, RowFormat format,
                             const std::string& file) {
  const TemporaryDirectory folder;
  Spool spool(folder.path());
  TRY(each_run(api, search, [&](const json::Value& run) { return spool.add(run); }));
  TRY(auto experiments, experiment_names(api));
  const RunTable table(spool, std::move(experiments));
  TRY(const auto writer, RowWriter::open(format, file, table.columns()));
  TRY(spool.each([&](const json::Value& run) { return writer->add(table.row_of(run)); }));
  TRY(writer->finish());
  return Exported{.runs = spool.runs()};
}

Result<Exported> export_histories(Api& api, const RunSearch& search, RowFormat format,
                                  const std::string& file) {
  Exported exported;
  TRY(const auto writer, RowWriter::open(format, file,
                                         {{"run_id"},
                                          {"run_name"},
                                          {"metric"},
                                          {"step", CellType::kInteger},
                                          {"timestamp", CellType::kTime},
                                          {"value", CellType::kNumber}}));
  TRY(each_run(api, search, [&](const json::Value& run) -> Result<void> {
    ++exported.runs;
    for (const auto& [key, latest] : values_of(run, "metrics")) {
      TRY(each_point(api, run_id_of(run), key, [&](const json::Value& point) -> Result<void> {
        ++exported.points;
        return writer->add(
            {run_id_of(run), run_name_of(run), key, std::to_string(integer_of(point, "step")),
             format_utc(integer_of(point, "timestamp")), number_cell(point, "value")});
      }));
    }
    return {};
  }));
  TRY(writer->finish());
  return exported;
}

}  // namespace

Result<void> runs_export(Session& session, const ExportOptions& options) {
  TRY(const RowFormat format, row_format_of(options.format, options.file));
  if (session.json && options.file == "-") {
    return invalid_argument("--json and the rows cannot both be on standard output: give --out");
  }
  TRY(Api * api, session.api());
  const RunSearch search{.experiments = options.list.experiments,
                         .filter = options.list.filter,
                         .order_by = options.list.order_by,
                         .view = options.list.view(),
                         .limit = options.list.limit};
  TRY(const Exported done, options.histories ? export_histories(*api, search, format, options.file)
                                             : export_runs(*api, search, format, options.file));
  json::Value document = json::Value::object({{"file", options.file}, {"runs", done.runs}});
  if (options.histories) document["points"] = done.points;
  if (options.file == "-") return {};
  session.show(document, [&] {
    if (options.histories) {
      std::printf("%s: %lld points of %lld runs\n", options.file.c_str(),
                  static_cast<long long>(done.points), static_cast<long long>(done.runs));
    } else {
      std::printf("%s: %lld runs\n", options.file.c_str(), static_cast<long long>(done.runs));
    }
  });
  return {};
}

}  // namespace ciclo::cli
