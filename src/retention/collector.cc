// SPDX-License-Identifier: Apache-2.0
#include "retention/collector.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "base/context.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "retention/blobs.h"
#include "retention/needs.h"
#include "tracking/artifacts.h"

namespace ciclo::retention {
namespace {

using tracking::Trashed;
using Kind = Trashed::Kind;

// Objects that one transaction removes; SQLite's other writers wait that long.
constexpr std::size_t kRemovalsAtOnce = 50;

Removed removed_of(const Trashed& trashed) {
  return {std::string(tracking::name_of(trashed.kind)), trashed.id,         trashed.name,
          std::to_string(trashed.experiment),           trashed.deleted_ms, 0};
}

std::int64_t& count_of(Report& report, Kind kind) {
  switch (kind) {
    case Kind::kRun: return report.runs;
    case Kind::kLoggedModel: return report.logged_models;
    case Kind::kExperiment: break;
  }
  return report.experiments;
}

void keep(Report& report, const Trashed& trashed, std::string reason) {
  ++report.kept_count;
  if (report.kept.size() == kNamedMax) return;
  report.kept.push_back(
      {std::string(tracking::name_of(trashed.kind)), trashed.id, trashed.name, std::move(reason)});
}

// It was planned to go, and stays after all.
void move_to_kept(Report& report, const Trashed& trashed, std::string reason) {
  std::erase_if(report.removed, [&](const Removed& one) {
    return one.id == trashed.id && one.kind == tracking::name_of(trashed.kind);
  });
  --count_of(report, trashed.kind);
  keep(report, trashed, std::move(reason));
}

Result<Trashed> deleted_one(const tracking::TrashFound& found, Kind kind, const std::string& id) {
  const std::string what = std::string(tracking::name_of(kind)) + " " + ciclo::quoted(id);
  if (!found.is_known) return not_found("there is no " + what);
  if (!found.trashed) {
    return failed_precondition(what + " is not deleted; delete it first, then collect");
  }
  return *found.trashed;
}

// What the request is about, experiments after what is in them.
Result<std::vector<Trashed>> candidates(sql::Reader& reader, const Request& request) {
  std::vector<Trashed> all;
  const auto add = [&](Trashed found) -> Result<void> {
    all.push_back(std::move(found));
    return {};
  };
  if (request.run_ids.empty() && request.experiment_ids.empty()) {
    TRY(tracking::list_trash(reader, add));
    return all;
  }
  for (const auto& id : request.run_ids) {
    TRY(const auto found, tracking::find_trashed_run(reader, tracking::RunId(id)));
    TRY(auto run, deleted_one(found, Kind::kRun, id));
    all.push_back(std::move(run));
  }
  for (const auto& id : request.experiment_ids) {
    TRY(const auto found, tracking::find_trashed_experiment(reader, tracking::ExperimentId(id)));
    TRY(auto experiment, deleted_one(found, Kind::kExperiment, id));
    TRY(tracking::list_trash_of(reader, experiment, add));
    all.push_back(std::move(experiment));
  }
  // One that was named twice is one.
  std::map<std::pair<Kind, std::int64_t>, bool> seen;
  std::erase_if(all, [&](const Trashed& one) {
    return !seen.emplace(std::pair(one.kind, one.number), true).second;
  });
  return all;
}

// Decides for one candidate after the other; experiments come after what is in them.
class Decisions {
 public:
  Decisions(sql::Reader& reader, const Needs& needs, std::int64_t deleted_until_ms)
      : reader_(reader), needs_(needs), deleted_until_ms_(deleted_until_ms) {}

  // nullopt: it goes.
  Result<std::optional<std::string>> reason_to_keep(const Trashed& trashed) {
    auto reason = needs_.reason_to_keep(trashed);
    if (!reason && trashed.deleted_ms > deleted_until_ms_) {
      reason = "it was deleted at " + format_utc(trashed.deleted_ms) + ", too short a while ago";
    }
    if (trashed.kind != Kind::kExperiment) {
      if (!reason) ++going_[trashed.experiment];
      return reason;
    }
    TRY(const std::int64_t members, tracking::count_members(reader_, trashed.number));
    const std::int64_t staying = members - going_[trashed.number];
    if (!reason && staying > 0) {
      reason = std::to_string(staying) + " of its runs and logged models " +
               (staying == 1 ? "stays" : "stay");
    }
    return reason;
  }

 private:
  sql::Reader& reader_;
  const Needs& needs_;
  const std::int64_t deleted_until_ms_;
  std::map<std::int64_t, std::int64_t> going_;  // members by experiment
};

Result<void> append_removal(sql::Txn& txn, events::Log& events, const Trashed& trashed) {
  const std::string_view kind = trashed.kind == Kind::kRun           ? "run.removed"
                                : trashed.kind == Kind::kLoggedModel ? "logged_model.removed"
                                                                     : "experiment.removed";
  return events.append(txn, trashed.workspace, kind, trashed.id,
                       json::Value::object({{"name", trashed.name},
                                            {"experiment_id", std::to_string(trashed.experiment)},
                                            {"deleted_ms", trashed.deleted_ms}}));
}

void tell(const Collector::OnProgress& on_progress, Progress progress) {
  if (on_progress) on_progress(progress);
}

}  // namespace

Collector::Collector(sql::Database& database, blob::Store& blobs, events::Log& events, Clock& clock)
    : database_(database), blobs_(blobs), events_(events), clock_(clock) {}

Result<void> Collector::check(const Request& request) {
  if (request.older_than_ms < 0) {
    return invalid_argument("older_than_ms must not be negative, got " +
                            std::to_string(request.older_than_ms));
  }
  if (request.grace_ms < kGraceMinMs) {
    return invalid_argument("grace_ms must be at least " + std::to_string(kGraceMinMs) +
                            ", so that no upload under way loses its bytes, got " +
                            std::to_string(request.grace_ms));
  }
  return {};
}

Result<Report> Collector::collect(const Request& request, std::stop_token stop,
                                  const OnProgress& on_progress) {
  TRY(check(request));
  tell(on_progress, {"planning"});
  TRY(Plan plan, this->plan(request));
  Report report = std::exchange(plan.report, {});
  report.dry_run = request.dry_run;
  if (!request.dry_run) TRY(remove_rows(plan, report, stop, on_progress));
  TRY(collect_bytes(request, plan, report, stop, on_progress));
  if (!request.dry_run) TRY(append_end(request, report));
  return report;
}

Result<void> Collector::append_end(const Request& request, const Report& report) {
  const auto amount = [](const Amount& of) {
    return json::Value::object({{"count", of.count}, {"bytes", of.bytes}});
  };
  const auto body = json::Value::object({{"runs", report.runs},
                                         {"logged_models", report.logged_models},
                                         {"experiments", report.experiments},
                                         {"kept", report.kept_count},
                                         {"blobs", amount(report.blobs)},
                                         {"waiting", amount(report.waiting)},
                                         {"leftovers", amount(report.leftovers)}});
  TRY(database_.transaction([&](sql::Txn& txn) {
    return events_.append(txn, Context().workspace, "retention.collected", request.cause, body);
  }));
  events_.wake();
  return {};
}

Result<Collector::Plan> Collector::plan(const Request& request) {
  const std::int64_t deleted_until_ms = clock_.now_ms() - request.older_than_ms;
  return database_.view([&](sql::Reader& reader) -> Result<Plan> {
    Plan plan;
    TRY(const auto needs, Needs::read(reader));
    TRY(auto all, candidates(reader, request));
    Decisions decisions(reader, needs, deleted_until_ms);
    for (auto& trashed : all) {
      TRY(auto reason, decisions.reason_to_keep(trashed));
      if (reason) {
        keep(plan.report, trashed, *std::move(reason));
        continue;
      }
      if (plan.report.removed.size() < kNamedMax) {
        auto& named = plan.report.removed.emplace_back(removed_of(trashed));
        if (const auto folder = trashed.folder()) {
          TRY(named.artifact_bytes, tracking::artifact_bytes(reader, trashed.workspace, *folder));
        }
      }
      ++count_of(plan.report, trashed.kind);
      plan.removals.push_back(std::move(trashed));
    }
    return plan;
  });
}

Result<void> Collector::remove_rows(const Plan& plan, Report& report, std::stop_token stop,
                                    const OnProgress& on_progress) {
  const auto total = static_cast<std::int64_t>(plan.removals.size());
  const std::span<const Trashed> all(plan.removals);
  for (std::size_t from = 0; from < all.size(); from += kRemovalsAtOnce) {
    if (stop.stop_requested()) return cancelled("the collection was stopped; the next goes on");
    tell(on_progress, {"removing rows", static_cast<std::int64_t>(from), total});
    const auto some = all.subspan(from, std::min(kRemovalsAtOnce, all.size() - from));
    TRY(auto outcomes, remove_some(some));
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (outcomes[i]) {
        move_to_kept(report, some[i], *std::move(outcomes[i]));
      } else {
        log::info("removed for good", {{"kind", tracking::name_of(some[i].kind)},
                                       {"id", some[i].id},
                                       {"name", some[i].name}});
      }
    }
  }
  // Also when there was nothing to remove: a collection may have been killed just before this.
  return database_.transaction(tracking::remove_unused_datasets);
}

// Who needs what is asked again: a version that was registered since the plan is seen, and one that
// is registered from now on sees the run gone.
Result<Collector::Outcomes> Collector::remove_some(std::span<const Trashed> some) {
  auto outcomes = database_.transact([&](sql::Txn& txn) -> Result<Outcomes> {
    TRY(const auto needs, Needs::read(txn));
    Outcomes all;
    for (const auto& trashed : some) {
      auto reason = needs.reason_to_keep(trashed);
      if (!reason) {
        TRY(const bool is_removed, tracking::remove_for_good(txn, trashed));
        if (!is_removed) reason = "it changed while it was to be removed";
      }
      all.push_back(std::move(reason));
    }
    // Events come last, as events/README.md asks.
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (!all[i]) TRY(append_removal(txn, events_, some[i]));
    }
    return all;
  });
  events_.wake();
  return outcomes;
}

Result<void> Collector::collect_bytes(const Request& request, const Plan& plan, Report& report,
                                      std::stop_token stop, const OnProgress& on_progress) {
  // The list comes before the snapshot: blob/store.h says why.
  const std::int64_t before_ms = clock_.now_ms() - request.grace_ms;
  tell(on_progress, {"listing blobs"});
  TRY(auto values, StoredValues::list(blobs_));
  tracking::ArtifactFolders without;
  if (request.dry_run) {
    for (const auto& trashed : plan.removals) {
      if (const auto folder = trashed.folder()) without.add(trashed.workspace, *folder);
    }
  }
  tell(on_progress, {"reading what is needed"});
  TRY(database_.read([&](sql::Reader& reader) { return values.mark(reader, without); }));
  report.waiting = values.waiting(before_ms);
  if (request.dry_run) {
    report.blobs = values.unneeded(before_ms);
  } else {
    TRY(report.blobs, values.remove(blobs_, before_ms, stop, [&](const Progress& progress) {
      tell(on_progress, progress);
    }));
  }
  TRY(const auto left,
      blobs_.sweep_leftovers(
          before_ms, request.dry_run ? blob::Store::Sweep::kCount : blob::Store::Sweep::kRemove));
  report.leftovers = {left.count, left.bytes};
  return {};
}

}  // namespace ciclo::retention
