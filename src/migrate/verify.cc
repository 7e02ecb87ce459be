// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <utility>

#include "base/hash.h"
#include "base/text.h"
#include "migrate/digest.h"
#include "migrate/migration.h"
#include "tracking/artifacts.h"

// The comparison of a copy with its source: both are read again, and each kind is compared by
// count and checksum.

namespace ciclo::migrate {

namespace {

constexpr std::size_t kNamedMax = 100;

template <class Record, class Key>
std::map<std::string, Record> by_key(std::vector<Record> records, Key key) {
  std::map<std::string, Record> out;
  for (auto& record : records) {
    std::string id = key(record);
    out.emplace(std::move(id), std::move(record));
  }
  return out;
}

Result<std::map<std::string, Digest>> points_of(Holdings& holdings, std::span<const RunId> ids) {
  std::map<std::string, Digest> digests;
  TRY(holdings.points(ids, [&](const RunId& run, std::span<const Metric> points) -> Result<void> {
    add_points(digests[run.str()], points);
    return {};
  }));
  return digests;
}

}  // namespace

void Migration::differ(Report& report, std::string sentence) const {
  ++report.difference_count;
  if (report.differences.size() < kNamedMax) report.differences.push_back(std::move(sentence));
}

Result<void> Migration::verify(Report& report) {
  without_folder_ = 0;
  TRY(verify_experiments(report));
  const auto step = [&](store::Kind kind, std::string_view phase, std::int64_t total,
                        auto&& verify_some) -> Result<void> {
    std::int64_t done = 0;
    return each_page(kind, [&](const Ids& ids) -> Result<void> {
      TRY(verify_some(ids));
      done += std::ssize(ids);
      tell(phase, done, total, report.copied);
      return {};
    });
  };
  TRY(step("run", "runs compared", report.found.runs,
           [&](const Ids& ids) { return verify_runs(report, ids); }));
  TRY(step("model", "logged models compared", report.found.models,
           [&](const Ids& ids) { return verify_models(report, ids); }));
  TRY(step("registered model", "registered models compared", report.found.registered,
           [&](const Ids& ids) { return verify_registered(report, ids); }));
  if (without_folder_ > 0) {
    report.notes.push_back(std::to_string(without_folder_) +
                           " runs and logged models have no folder of artifacts, such as " +
                           first_without_folder_ + ": no file was copied for them");
  }
  if (report.difference_count > 0 || report.was_complete) return {};
  return target_.database.transaction([&](sql::Txn& txn) {
    return store::finish_import(txn, import_->number, target_.clock.now_ms());
  });
}

Result<void> Migration::verify_experiments(Report& report) {
  TRY(auto theirs, source_.experiments());
  TRY(auto records, here_.experiments());
  const auto ours = by_key(std::move(records), [](const ExperimentRecord& record) {
    return record.experiment.experiment_id.str();
  });
  for (auto& record : theirs) {
    const std::string id = record.experiment.experiment_id.str();
    TRY(relocate(record));
    const auto found = ours.find(id);
    if (found == ours.end()) {
      differ(report, "experiment " + id + " is missing here");
      continue;
    }
    const std::string text = differences(digests_of(record), digests_of(found->second));
    if (!text.empty()) differ(report, "experiment " + id + " differs in " + text);
    if (text.empty()) ++report.verified.experiments;
  }
  return {};
}

Result<void> Migration::verify_runs(Report& report, const Ids& texts) {
  const std::vector<RunId> ids(texts.begin(), texts.end());
  TRY(auto theirs, source_.runs(ids));
  TRY(auto records, here_.runs(ids));
  const auto ours = by_key(std::move(records),
                           [](const RunRecord& record) { return record.run.info.run_id.str(); });
  TRY(const auto their_points, points_of(source_, ids));
  TRY(const auto our_points, points_of(here_, ids));
  const auto points = [](const std::map<std::string, Digest>& digests, const std::string& id) {
    const auto found = digests.find(id);
    return found == digests.end() ? Digest() : found->second;
  };
  for (auto& record : theirs) {
    const std::string id = record.run.info.run_id.str();
    const std::string uri = record.run.info.artifact_uri;
    TRY(relocate(record));
    const auto found = ours.find(id);
    if (found == ours.end()) {
      differ(report, "run " + id + " is missing here");
      continue;
    }
    Digests expected = digests_of(record);
    Digests here = digests_of(found->second);
    expected["points"] = points(their_points, id);
    here["points"] = points(our_points, id);
    const std::string text = differences(expected, here);
    if (!text.empty()) differ(report, "run " + id + " differs in " + text);
    if (text.empty()) {
      ++report.verified.runs;
      report.verified.params += std::ssize(record.run.params);
      report.verified.tags += std::ssize(record.run.tags);
      report.verified.points += expected["points"].count();
    }
    TRY(const auto place, place_of(record.run.info));
    TRY(verify_files("run " + id, uri, place, report));
  }
  return {};
}

Result<void> Migration::verify_models(Report& report, const Ids& texts) {
  const std::vector<LoggedModelId> ids(texts.begin(), texts.end());
  TRY(auto theirs, source_.models(ids));
  TRY(auto records, here_.models(ids));
  const auto ours = by_key(std::move(records),
                           [](const ModelRecord& record) { return record.model.model_id.str(); });
  for (auto& record : theirs) {
    const std::string id = record.model.model_id.str();
    const std::string uri = record.model.artifact_location;
    TRY(relocate(record));
    const auto found = ours.find(id);
    if (found == ours.end()) {
      differ(report, "logged model " + id + " is missing here");
      continue;
    }
    const std::string text = differences(digests_of(record), digests_of(found->second));
    if (!text.empty()) differ(report, "logged model " + id + " differs in " + text);
    if (text.empty()) ++report.verified.models;
    TRY(const auto place, place_of(record.model));
    TRY(verify_files("logged model " + id, uri, place, report));
  }
  return {};
}

Result<void> Migration::verify_registered(Report& report, const Ids& names) {
  for (const auto& name : names) {
    TRY(auto theirs, source_.registered(name));
    TRY(const auto ours, here_.registered(name));
    if (!theirs) continue;
    TRY(relocate(*theirs, nullptr));
    if (!ours) {
      differ(report, "registered model " + quoted(name) + " is missing here");
      continue;
    }
    const std::string text = differences(digests_of(*theirs), digests_of(*ours));
    if (!text.empty()) differ(report, "registered model " + quoted(name) + " differs in " + text);
    if (text.empty()) {
      ++report.verified.registered;
      report.verified.versions += std::ssize(theirs->versions);
    }
  }
  return {};
}

// The source's files are read and hashed again. Ours are blobs, whose names are the hashes of their
// bytes; that each is there, and as long, is asked of the store.
Result<void> Migration::verify_files(const std::string& subject, const std::string& uri,
                                     const tracking::ArtifactPath& ours, Report& report) {
  if (!ArtifactPlaces::is_local(uri)) return {};
  TRY(const auto found, places_.find(uri, ours));
  if (!found.is_there && without_folder_++ == 0) first_without_folder_ = subject + " at " + uri;
  for (const auto& refused : found.refused) {
    differ(report, subject + ": not copied: " + refused);
  }
  tracking::Artifacts artifacts(target_.database, target_.blobs, target_.clock);
  Context context;
  context.workspace = target_.workspace;
  TRY(const auto files, artifacts.tree(context, ours));
  std::map<std::string, tracking::ArtifactFile> here;
  for (const auto& file : files) here.emplace(file.path, file);
  for (const auto& file : found.files) {
    const std::string name = file.path.str();
    const auto kept = here.find(name);
    if (kept == here.end()) {
      differ(report, subject + ": file " + quoted(name) + " is missing here");
      continue;
    }
    TRY(const std::string hash, hash_file(file.file));
    const auto size = target_.blobs.size(kept->second.hash);
    if (hash != kept->second.hash || !size.ok() || *size != kept->second.size) {
      differ(report, subject + ": file " + quoted(name) + " differs");
    } else {
      ++report.verified.files;
      report.verified.bytes += static_cast<std::int64_t>(*size);
    }
    here.erase(kept);
  }
  for (const auto& [name, file] : here) {
    differ(report, subject + ": file " + quoted(name) + " is not in the source");
  }
  return {};
}

}  // namespace ciclo::migrate
