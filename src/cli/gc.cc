// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <tuple>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "http/message.h"
#include "steps/project.h"

namespace ciclo::cli {
namespace {

constexpr std::chrono::milliseconds kPollInterval{200};

void pause() {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable().wait_for(lock, kPollInterval);
}

Result<json::Value> request_of(const GcOptions& options) {
  json::Value body = json::Value::object({{"dry_run", options.dry_run}});
  for (const auto& [name, field, text] :
       {std::tuple("--older-than", "older_than_ms", &options.older_than),
        std::tuple("--grace", "grace_ms", &options.grace)}) {
    if (text->empty()) continue;
    auto ms = steps::parse_duration(*text);
    if (!ms.ok()) return ms.error().with_context(name);
    body[field] = *ms;
  }
  json::Value experiments = json::Value::array();
  for (const auto& id : options.experiments) experiments.push_back(id);
  json::Value runs = json::Value::array();
  for (const auto& id : options.runs) runs.push_back(id);
  body["experiment_ids"] = std::move(experiments);
  body["run_ids"] = std::move(runs);
  return body;
}

// Overwrites its own line on a terminal; elsewhere it says nothing.
void show_progress(const json::Value& collection) {
  const json::Value* progress = collection.find("progress");
  if (progress == nullptr || ::isatty(STDERR_FILENO) == 0) return;
  const auto total = progress->integer_or("total", 0);
  std::string line = progress->string_or("phase", "");
  if (total > 0) {
    line += " " + count_text(progress->integer_or("done", 0)) + " of " + count_text(total);
  }
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
}

Result<json::Value> wait_for_end(Api& api, json::Value collection) {
  const std::string path =
      "/api/v1/gc/" + http::percent_encode(collection.string_or("collection_id", ""));
  while (collection.string_or("state", "") == "running") {
    show_progress(collection);
    pause();
    TRY(collection, api.get(path));
  }
  if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\x1b[K");
  if (collection.string_or("state", "") == "succeeded") return collection;
  return failed_precondition(collection.string_or("error", ""));
}

void print_named(const json::Value& report, const char* verb) {
  if (items_of(report, "removed").empty()) return;
  Table table({verb, "id", "name", "deleted", "files"});
  for (const auto& one : items_of(report, "removed")) {
    table.add({one.string_or("kind", ""), one.string_or("id", ""), one.string_or("name", ""),
               format_utc(one.integer_or("deleted_ms", 0)),
               bytes_text(one.integer_or("artifact_bytes", 0))});
  }
  table.print();
  std::printf("\n");
}

void print_kept(const json::Value& report) {
  if (items_of(report, "kept").empty()) return;
  Table table({"kept", "id", "name", "because"});
  for (const auto& one : items_of(report, "kept")) {
    table.add({one.string_or("kind", ""), one.string_or("id", ""), one.string_or("name", ""),
               one.string_or("reason", "")});
  }
  table.print();
  std::printf("\n");
}

std::string amount_text(const json::Value& report, const char* name) {
  const json::Value* amount = report.find(name);
  if (amount == nullptr) return "-";
  return count_text(amount->integer_or("count", 0)) + " (" +
         bytes_text(amount->integer_or("bytes", 0)) + ")";
}

void print_report(const json::Value& report, bool dry_run) {
  print_named(report, dry_run ? "would remove" : "removed");
  print_kept(report);
  Table table({dry_run ? "would be removed" : "removed", ""});
  table.add({"runs", count_text(report.integer_or("runs", 0))});
  table.add({"logged models", count_text(report.integer_or("logged_models", 0))});
  table.add({"experiments", count_text(report.integer_or("experiments", 0))});
  table.add({"stored values that nothing names", amount_text(report, "blobs")});
  table.add({"left by writers that died", amount_text(report, "leftovers")});
  table.print();
  const json::Value* waiting = report.find("waiting");
  if (waiting != nullptr && waiting->integer_or("count", 0) > 0) {
    std::printf("\n%s more were written within the grace period; a later collection takes them\n",
                amount_text(report, "waiting").c_str());
  }
}

}  // namespace

Result<void> gc(Session& session, const GcOptions& options) {
  TRY(const json::Value body, request_of(options));
  TRY(Api * api, session.api());
  TRY(json::Value started, api->post("/api/v1/gc", body));
  TRY(const json::Value collection, wait_for_end(*api, std::move(started)));
  const json::Value* found = collection.find("report");
  const json::Value report = found == nullptr ? json::Value::object() : *found;
  session.show(report, [&] { print_report(report, options.dry_run); });
  return {};
}

}  // namespace ciclo::cli
