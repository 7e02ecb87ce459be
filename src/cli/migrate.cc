// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/table.h"

namespace ciclo::cli {
namespace {

using migrate::Counts;
using migrate::Report;

// One line on a terminal that is written over, at most ten times a second.
class Line {
 public:
  ~Line() {
    if (is_shown_) std::fputs("\r\033[K", stderr);
  }

  void show(const migrate::Progress& progress) {
    if (::isatty(STDERR_FILENO) == 0) return;
    const std::int64_t now_ns = clock_.monotonic_ns();
    if (is_shown_ && now_ns - shown_ns_ < 100'000'000) return;
    shown_ns_ = now_ns;
    is_shown_ = true;
    std::string text = std::string(progress.phase) + " " + count_text(progress.done);
    if (progress.total > 0) text += " of " + count_text(progress.total);
    text += " · " + count_text(progress.copied.points) + " points · " +
            count_text(progress.copied.files) + " files, " + bytes_text(progress.copied.bytes);
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
  }

 private:
  SystemClock clock_;
  std::int64_t shown_ns_ = 0;
  bool is_shown_ = false;
};

json::Value document_of(const Counts& counts) {
  return json::Value::object({{"experiments", counts.experiments},
                              {"runs", counts.runs},
                              {"params", counts.params},
                              {"tags", counts.tags},
                              {"metric_points", counts.points},
                              {"logged_models", counts.models},
                              {"registered_models", counts.registered},
                              {"model_versions", counts.versions},
                              {"artifact_files", counts.files},
                              {"artifact_bytes", counts.bytes}});
}

json::Value list_of(const std::vector<std::string>& texts) {
  json::Value list = json::Value::array();
  for (const auto& text : texts) list.push_back(text);
  return list;
}

json::Value document_of(const Report& report, bool is_dry_run) {
  json::Value not_copied = json::Value::array();
  for (const auto& rest : report.not_copied) {
    not_copied.push_back(
        json::Value::object({{"what", rest.what}, {"count", rest.count}, {"reason", rest.reason}}));
  }
  return json::Value::object(
      {{"schema_revision", report.revision},
       {"dry_run", is_dry_run},
       {"was_complete", report.was_complete},
       {"found", json::Value::object({{"experiments", report.found.experiments},
                                      {"runs", report.found.runs},
                                      {"logged_models", report.found.models},
                                      {"registered_models", report.found.registered}})},
       {"copied", document_of(report.copied)},
       {"verified", document_of(report.verified)},
       {"not_copied", not_copied},
       {"notes", list_of(report.notes)},
       {"differences", list_of(report.differences)},
       {"difference_count", report.difference_count}});
}

void print_counts(const Report& report) {
  Table table({"", "in the source", "copied now", "same as in the source"});
  const auto add = [&](const char* what, std::int64_t found, std::int64_t copied,
                       std::int64_t verified) {
    table.add({what, found < 0 ? "" : count_text(found), count_text(copied), count_text(verified)});
  };
  const auto& [found, copied, same] = std::tie(report.found, report.copied, report.verified);
  add("experiments", found.experiments, copied.experiments, same.experiments);
  add("runs", found.runs, copied.runs, same.runs);
  add("params", -1, copied.params, same.params);
  add("tags", -1, copied.tags, same.tags);
  add("metric points", -1, copied.points, same.points);
  add("logged models", found.models, copied.models, same.models);
  add("registered models", found.registered, copied.registered, same.registered);
  add("model versions", -1, copied.versions, same.versions);
  add("artifact files", -1, copied.files, same.files);
  table.print();
}

void print(const Report& report, bool is_dry_run) {
  if (is_dry_run) {
    std::printf(
        "would copy, from an MLflow store of schema %s: %s experiments, %s runs, %s "
        "logged models, %s registered models\n",
        report.revision.c_str(), count_text(report.found.experiments).c_str(),
        count_text(report.found.runs).c_str(), count_text(report.found.models).c_str(),
        count_text(report.found.registered).c_str());
  } else {
    print_counts(report);
  }
  for (const auto& rest : report.not_copied) {
    std::printf("not copied: %s %s; %s\n", count_text(rest.count).c_str(), rest.what.c_str(),
                rest.reason.c_str());
  }
  for (const auto& note : report.notes) std::printf("note: %s\n", note.c_str());
  for (const auto& text : report.differences) std::printf("differs: %s\n", text.c_str());
  if (is_dry_run || report.difference_count > 0) return;
  const Counts& copied = report.copied;
  const bool is_new = copied.experiments + copied.runs + copied.models + copied.registered > 0;
  std::printf("%s\n", is_new ? "done: the copy is the same as its source"
                             : "nothing was left to copy; the copy is the same as its source");
}

}  // namespace

Result<void> migrate_mlflow(
    Session& session, const MigrateOptions& options,
    const std::function<Result<Report>(const std::function<void(const migrate::Progress&)>&)>&
        run) {
  auto migrated = [&] {
    Line line;
    return run([&](const migrate::Progress& progress) { line.show(progress); });
  }();
  TRY(const Report report, std::move(migrated));
  session.show(document_of(report, options.dry_run), [&] { print(report, options.dry_run); });
  if (report.difference_count == 0) return {};
  return data_loss("the copy differs from its source in " +
                   std::to_string(report.difference_count) + " places, which are named above");
}

Result<void> export_mlflow(Session& session,
                           const std::function<Result<migrate::ExportReport>(
                               const std::function<void(const migrate::Progress&)>&)>& run) {
  auto exported = [&] {
    Line line;
    return run([&](const migrate::Progress& progress) { line.show(progress); });
  }();
  TRY(const migrate::ExportReport report, std::move(exported));
  const auto document = json::Value::object({{"written", document_of(report.written)},
                                             {"verified", document_of(report.verified)},
                                             {"metrics_without_run", report.metrics_without_run},
                                             {"differences", list_of(report.differences)},
                                             {"difference_count", report.difference_count}});
  session.show(document, [&] {
    const Counts& written = report.written;
    std::printf(
        "wrote %s experiments, %s runs with %s metric points, %s logged models, "
        "%s registered models with %s versions, %s artifact files\n",
        count_text(written.experiments).c_str(), count_text(written.runs).c_str(),
        count_text(written.points).c_str(), count_text(written.models).c_str(),
        count_text(written.registered).c_str(), count_text(written.versions).c_str(),
        count_text(written.files).c_str());
    std::printf(
        "not exported: comments, webhooks, traces, deployment history, data sets, pipelines and "
        "endpoints\n");
    if (report.metrics_without_run > 0) {
      std::printf("not exported: %s metrics of logged models whose run was removed for good\n",
                  count_text(report.metrics_without_run).c_str());
    }
    for (const auto& text : report.differences) std::printf("differs: %s\n", text.c_str());
    if (report.difference_count == 0) std::printf("done: what was written is what is here\n");
  });
  if (report.difference_count == 0) return {};
  return data_loss("what was written differs from what is here in " +
                   std::to_string(report.difference_count) + " places, which are named above");
}

}  // namespace ciclo::cli
