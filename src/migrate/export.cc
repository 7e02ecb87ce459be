// SPDX-License-Identifier: Apache-2.0
#include "migrate/export.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <system_error>
#include <type_traits>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "migrate/digest.h"
#include "migrate/mlflow_schema.h"
#include "migrate/mlflow_writer.h"
#include "migrate/naming.h"
#include "migrate/store.h"
#include "sql/dialect.h"
#include "sql/open.h"
#include "tracking/artifacts.h"

namespace ciclo::migrate {

namespace {

constexpr std::int64_t kPage = 100;
constexpr std::size_t kNamedMax = 100;

// Calls `page` for some ids at a time, as `next(after, limit)` gives them.
template <class Next, class Page>
Result<void> each_page(Next next, Page page) {
  std::string after;
  while (true) {
    TRY(const auto ids, next(after, kPage));
    if (ids.empty()) return {};
    TRY(page(ids));
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(ids.back())>, std::string>) {
      after = ids.back();
    } else {
      after = ids.back().str();
    }
  }
}

template <class Page>
Result<void> each_run_page(Holdings& holdings, Page page) {
  return each_page(
      [&](std::string_view after, std::int64_t limit) { return holdings.run_ids(after, limit); },
      page);
}

template <class Page>
Result<void> each_model_page(Holdings& holdings, Page page) {
  return each_page(
      [&](std::string_view after, std::int64_t limit) { return holdings.model_ids(after, limit); },
      page);
}

template <class Each>
Result<void> each_registered(Holdings& holdings, Each each) {
  const auto next = [&](std::string_view after, std::int64_t limit) {
    return holdings.registered_names(after, limit);
  };
  return each_page(next, [&](const std::vector<std::string>& names) -> Result<void> {
    for (const auto& name : names) TRY(each(name));
    return {};
  });
}

Result<std::map<std::string, Digest>> points_of(Holdings& holdings, std::span<const RunId> ids) {
  std::map<std::string, Digest> digests;
  TRY(holdings.points(ids, [&](const RunId& run, std::span<const Metric> points) -> Result<void> {
    add_points(digests[run.str()], points);
    return {};
  }));
  return digests;
}

template <class Record, class Key>
std::map<std::string, Digests> digests_by(const std::vector<Record>& records, Key key) {
  std::map<std::string, Digests> out;
  for (const auto& record : records) out[key(record)] = digests_of(record);
  return out;
}

// All that was written below a directory's file system is on the disk then.
Result<void> sync_files(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return file_error("open", directory, errno);
  const int failed = ::syncfs(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (failed != 0) return file_error("sync", directory, failed);
  return {};
}

}  // namespace

Result<void> check_export_target(const std::string& url) {
  TRY(auto database, sql::open(database_url(url), {.is_read_only = true}));
  const auto fits =
      database->read([](sql::Reader& reader) { return mlflow_writer::check_is_empty(reader); });
  if (!fits.ok()) return fits.error().with_context(sql::redact_url(url));
  return {};
}

Export::Export(Target from, sql::Database& to, std::filesystem::path artifacts,
               std::function<void(const Progress&)> progress)
    : from_(std::move(from)),
      here_(from_.database, from_.workspace),
      to_(to),
      artifacts_(std::move(artifacts)),
      progress_(std::move(progress)) {}

void Export::tell(std::string_view phase, std::int64_t done, const Counts& written) {
  if (progress_) progress_({phase, done, 0, written});
}

Result<ExportReport> Export::write() {
  ExportReport report;
  TRY(to_.read([](sql::Reader& reader) { return mlflow_writer::check_is_empty(reader); }));
  TRY(make_empty_directory());
  TRY(write_files(tracking::ArtifactPath(), report));
  TRY(sync_files(artifacts_));
  // Last, and in one transaction: a database that holds something is whole, and so are its files.
  ExportReport whole;
  TRY(to_.transaction([&](sql::Txn& txn) -> Result<void> {
    whole = report;
    Counts& written = whole.written;
    TRY(sql::lift_time_limit(txn));
    TRY(mlflow_writer::check_is_empty(txn));
    TRY(write_experiments(txn, written));
    TRY(write_runs(txn, written));
    TRY(write_models(txn, whole));
    return write_registered(txn, written);
  }));
  return whole;
}

Result<void> Export::make_empty_directory() {
  std::error_code failed;
  const auto status = std::filesystem::status(artifacts_, failed);
  if (!std::filesystem::exists(status)) return make_directories_durably(artifacts_);
  if (!std::filesystem::is_directory(status)) {
    return failed_precondition("--artifacts " + artifacts_.string() +
                               " is no directory; name a new one");
  }
  const bool is_empty = std::filesystem::is_empty(artifacts_, failed);
  if (failed) return file_error("read", artifacts_, failed.value());
  if (is_empty) return {};
  return failed_precondition("--artifacts " + artifacts_.string() +
                             " is not empty; name a new directory, or remove this one when an "
                             "export that was cut off has left it");
}

Result<void> Export::write_experiments(sql::Txn& txn, Counts& written) {
  TRY(const auto records, here_.experiments());
  TRY(mlflow_writer::remove_default_experiment(txn));
  std::int64_t greatest = 0;
  for (const auto& record : records) {
    const auto& id = record.experiment.experiment_id;
    TRY(const std::int64_t number, tracking::store::experiment_number(id));
    greatest = std::max(greatest, number);
    TRY(naming(mlflow_writer::insert(txn, record), "experiment", id.str()));
  }
  written.experiments = std::ssize(records);
  return mlflow_writer::reserve_experiments(txn, greatest);
}

Result<void> Export::write_runs(sql::Txn& txn, Counts& written) {
  return each_run_page(here_, [&](const std::vector<RunId>& ids) -> Result<void> {
    TRY(const auto records, here_.runs(ids));
    for (const auto& record : records) {
      TRY(naming(mlflow_writer::insert(txn, record), "run", record.run.info.run_id.str()));
      written.params += std::ssize(record.run.params);
      written.tags += std::ssize(record.run.tags);
    }
    mlflow_writer::Points points(txn);
    TRY(here_.points(ids, [&](const RunId& run, std::span<const Metric> some) {
      written.points += std::ssize(some);
      return naming(points.add(run, some), "the metrics of run", run.str());
    }));
    TRY(points.finish());
    written.runs += std::ssize(records);
    tell("runs", written.runs, written);
    return {};
  });
}

Result<std::vector<ModelRecord>> Export::models(std::span<const LoggedModelId> ids,
                                                std::int64_t& left_out) {
  TRY(auto records, here_.models(ids));
  for (auto& record : records) {
    std::vector<std::string> named;
    for (const auto& value : record.model.metrics) named.push_back(value.run_id.str());
    std::set<std::string> there;
    for (std::span<const std::string> rest(named); !rest.empty();) {
      const auto some = rest.first(std::min<std::size_t>(rest.size(), 500));
      TRY(const auto found, from_.database.view([&](sql::Reader& reader) {
        return store::existing_runs(reader, some);
      }));
      there.insert(found.begin(), found.end());
      rest = rest.subspan(some.size());
    }
    left_out +=
        static_cast<std::int64_t>(std::erase_if(record.model.metrics, [&](const auto& value) {
          return !there.contains(value.run_id.str());
        }));
  }
  return records;
}

Result<void> Export::write_models(sql::Txn& txn, ExportReport& report) {
  Counts& written = report.written;
  return each_model_page(here_, [&](const std::vector<LoggedModelId>& ids) -> Result<void> {
    TRY(const auto records, models(ids, report.metrics_without_run));
    for (const auto& record : records) {
      TRY(naming(mlflow_writer::insert(txn, record), "logged model", record.model.model_id.str()));
    }
    written.models += std::ssize(records);
    tell("logged models", written.models, written);
    return {};
  });
}

Result<void> Export::write_registered(sql::Txn& txn, Counts& written) {
  return each_registered(here_, [&](const std::string& name) -> Result<void> {
    TRY(const auto record, here_.registered(name));
    if (!record) return {};
    TRY(naming(mlflow_writer::insert(txn, *record), "registered model", name));
    ++written.registered;
    written.versions += std::ssize(record->versions);
    tell("registered models", written.registered, written);
    return {};
  });
}

Result<void> Export::write_files(const tracking::ArtifactPath& directory, ExportReport& report) {
  tracking::Artifacts artifacts(from_.database, from_.blobs, from_.clock);
  Context context;
  context.workspace = from_.workspace;
  TRY(const auto entries, artifacts.list(context, directory));
  for (const auto& entry : entries) {
    TRY(const auto name, tracking::ArtifactPath::parse(entry.path));
    const auto path = directory / name;
    if (entry.is_directory) {
      TRY(write_files(path, report));
    } else {
      TRY(write_file(path, entry, report));
    }
  }
  return {};
}

// Reading a blob whole checks it against its hash, so what is written is what was logged.
Result<void> Export::write_file(const tracking::ArtifactPath& path,
                                const tracking::ArtifactFile& file, ExportReport& report) {
  const auto target = artifacts_ / path.str();
  std::error_code failed;
  std::filesystem::create_directories(target.parent_path(), failed);
  if (failed) return file_error("make", target.parent_path(), failed.value());
  std::ofstream out(target, std::ios::binary);
  TRY(from_.blobs.read(file.hash, 0, std::numeric_limits<std::uint64_t>::max(),
                       [&](std::string_view piece) -> Result<void> {
                         out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
                         if (!out) return file_error("write", target, errno);
                         return {};
                       }));
  out.close();
  if (!out) return file_error("write", target, errno);
  ++report.written.files;
  report.written.bytes += static_cast<std::int64_t>(file.size);
  TRY(const std::string hash, hash_file(target));
  if (hash == file.hash) {
    ++report.verified.files;
    report.verified.bytes += static_cast<std::int64_t>(file.size);
  } else {
    differ(report, "file " + quoted(path.str()) + " differs in its bytes");
  }
  tell("files", report.written.files, report.written);
  return {};
}

void Export::differ(ExportReport& report, std::string sentence) const {
  ++report.difference_count;
  if (report.differences.size() < kNamedMax) report.differences.push_back(std::move(sentence));
}

bool Export::are_same(ExportReport& report, const std::string& subject, const Digests& ours,
                      const std::map<std::string, Digests>& theirs, const std::string& id) const {
  const auto found = theirs.find(id);
  if (found == theirs.end()) {
    differ(report, subject + " is missing in what was written");
    return false;
  }
  const std::string text = differences(ours, found->second);
  if (!text.empty()) differ(report, subject + " differs in " + text);
  return text.empty();
}

Result<void> Export::verify(Holdings& written, ExportReport& report) {
  TRY(verify_experiments(written, report));
  TRY(verify_runs(written, report));
  TRY(verify_models(written, report));
  return verify_registered(written, report);
}

Result<void> Export::verify_experiments(Holdings& written, ExportReport& report) {
  const auto key = [](const ExperimentRecord& record) {
    return record.experiment.experiment_id.str();
  };
  TRY(const auto ours, here_.experiments());
  TRY(const auto records, written.experiments());
  const auto theirs = digests_by(records, key);
  for (const auto& record : ours) {
    const std::string id = key(record);
    if (are_same(report, "experiment " + id, digests_of(record), theirs, id)) {
      ++report.verified.experiments;
    }
  }
  return {};
}

Result<void> Export::verify_runs(Holdings& written, ExportReport& report) {
  const auto key = [](const RunRecord& record) { return record.run.info.run_id.str(); };
  return each_run_page(here_, [&](const std::vector<RunId>& ids) -> Result<void> {
    TRY(const auto ours, here_.runs(ids));
    TRY(const auto records, written.runs(ids));
    TRY(auto our_points, points_of(here_, ids));
    TRY(auto their_points, points_of(written, ids));
    auto theirs = digests_by(records, key);
    for (auto& [id, digests] : theirs) digests["points"] = their_points[id];
    for (const auto& record : ours) {
      const std::string id = key(record);
      Digests digests = digests_of(record);
      digests["points"] = our_points[id];
      if (!are_same(report, "run " + id, digests, theirs, id)) continue;
      ++report.verified.runs;
      report.verified.params += std::ssize(record.run.params);
      report.verified.tags += std::ssize(record.run.tags);
      report.verified.points += our_points[id].count();
    }
    tell("runs compared", report.verified.runs, report.written);
    return {};
  });
}

Result<void> Export::verify_models(Holdings& written, ExportReport& report) {
  const auto key = [](const ModelRecord& record) { return record.model.model_id.str(); };
  return each_model_page(here_, [&](const std::vector<LoggedModelId>& ids) -> Result<void> {
    std::int64_t left_out = 0;
    TRY(auto ours, models(ids, left_out));
    TRY(const auto records, written.models(ids));
    const auto theirs = digests_by(records, key);
    for (auto& record : ours) {
      for (auto& metric : record.model.metrics) {
        metric.metric.value = tracking::store::stored(metric.metric.value).value;
      }
      const std::string id = key(record);
      if (are_same(report, "logged model " + id, digests_of(record), theirs, id)) {
        ++report.verified.models;
      }
    }
    return {};
  });
}

Result<void> Export::verify_registered(Holdings& written, ExportReport& report) {
  return each_registered(here_, [&](const std::string& name) -> Result<void> {
    TRY(const auto ours, here_.registered(name));
    if (!ours) return {};
    TRY(const auto record, written.registered(name));
    std::map<std::string, Digests> theirs;
    if (record) theirs[name] = digests_of(*record);
    if (are_same(report, "registered model " + quoted(name), digests_of(*ours), theirs, name)) {
      ++report.verified.registered;
      report.verified.versions += std::ssize(ours->versions);
    }
    return {};
  });
}

}  // namespace ciclo::migrate
