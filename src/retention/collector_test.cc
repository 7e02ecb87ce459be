// SPDX-License-Identifier: Apache-2.0
#include "retention/collector.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/json_fields.h"
#include "base/random.h"
#include "data/datasets.h"
#include "lineage/lineage.h"
#include "pipeline/pipeline.h"
#include "registry/registry.h"
#include "retention/blobs.h"
#include "retention/collections.h"
#include "retention/policies.h"
#include "serve/endpoints.h"
#include "sql/test_database.h"
#include "steps/projects.h"
#include "tracking/artifacts.h"
#include "tracking/logged_models.h"
#include "tracking/tracking.h"

namespace ciclo::retention {
namespace {

namespace fs = std::filesystem;
using tracking::ArtifactPath;
using tracking::ExperimentId;
using tracking::RunId;

// The store's clock is the machine's, so the platform's is set to it and advanced from there.
class CollectorTest : public testing::TestWithParam<sql::Engine> {
 protected:
  CollectorTest() {
    for (const auto module :
         {events::schema(), lineage::schema(), data::schema(), tracking::schema(),
          registry::schema(), pipeline::schema(), serve::schema(), steps::schema()}) {
      const auto migrated = sql::migrate(*database, module);
      EXPECT_TRUE(migrated.ok()) << migrated.error().message;
    }
  }

  RunId new_run(const ExperimentId& experiment = ExperimentId("0")) {
    auto run = tracking.create_run(context, {.experiment_id = experiment, .name = "r"});
    EXPECT_TRUE(run.ok()) << run.error().message;
    return run->info.run_id;
  }
  static std::string place_of(const RunId& run, const std::string& experiment = "0") {
    return experiment + "/" + run.str() + "/artifacts/model/MLmodel";
  }
  blob::Hash put(const std::string& path, const std::string& bytes) {
    const auto file = artifacts.put(context, *ArtifactPath::parse(path),
                                    [&](blob::Writer& writer) { return writer.write(bytes); });
    EXPECT_TRUE(file.ok()) << file.error().message;
    return file->hash;
  }
  // A deleted run with one file of its own.
  RunId deleted_run(const std::string& bytes) {
    const RunId run = new_run();
    put(place_of(run), bytes);
    EXPECT_TRUE(tracking.delete_run(context, run).ok());
    return run;
  }
  void register_version(const std::string& source, const RunId& run = RunId(),
                        const std::string& model_id = {}) {
    EXPECT_TRUE(registry.ensure_model(context, "churn").ok());
    const auto made = registry.create_version(
        context, {.name = "churn", .source = source, .run_id = run.str(), .model_id = model_id});
    EXPECT_TRUE(made.ok()) << made.error().message;
  }
  // As if everything stored had been touched two days ago.
  void age() {
    const struct timespec at { clock.now_ms() / 1000 - 2 * 86'400, 0 };
    const std::array times{at, at};
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / "blobs")) {
      if (entry.is_regular_file()) ::utimensat(AT_FDCWD, entry.path().c_str(), times.data(), 0);
    }
  }
  bool is_stored(const blob::Hash& hash) { return blobs->size(hash).ok(); }
  bool is_known(const RunId& run) { return tracking.run(context, run).ok(); }
  Report collect(Request request = {}) {
    auto report = collector.collect(request);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? *report : Report();
  }
  std::string reason(const Report& report) {
    return report.kept.empty() ? "" : report.kept.front().reason;
  }

  Context context;
  SimClock clock{SystemClock().now_ms()};
  SeededRandom random{1};
  IdSource ids{clock, random};
  TemporaryDirectory folder;
  sql::TestDatabase database{GetParam()};
  std::unique_ptr<blob::Store> blobs{*blob::open_local((folder.path() / "blobs").string())};
  events::Log log{*database, clock};
  lineage::Lineage lineage{*database, *blobs, clock, ids};
  tracking::Tracking tracking{*database, clock, ids, random};
  tracking::LoggedModels models{*database, clock, ids, random};
  tracking::Artifacts artifacts{*database, *blobs, clock};
  registry::Registry registry{*database, log, clock};
  Collector collector{*database, *blobs, log, clock};
};

TEST_P(CollectorTest, a_deleted_run_and_its_bytes_go_and_shared_bytes_stay) {
  const RunId active = new_run();
  const auto shared = put(place_of(active), "shared");
  const RunId gone = new_run();
  put(place_of(gone), "shared");
  const auto own = put("0/" + gone.str() + "/artifacts/own", "own bytes");
  ASSERT_TRUE(tracking.delete_run(context, gone).ok());
  age();
  const Report report = collect();
  EXPECT_EQ(report.runs, 1);
  ASSERT_EQ(report.removed.size(), 1U);
  EXPECT_EQ(report.removed[0].id, gone.str());
  EXPECT_EQ(report.removed[0].artifact_bytes, 15U);
  EXPECT_EQ(report.blobs.count, 1U);
  EXPECT_EQ(report.blobs.bytes, 9U);
  EXPECT_FALSE(is_known(gone));
  EXPECT_FALSE(is_stored(own));
  EXPECT_TRUE(is_known(active));
  EXPECT_TRUE(is_stored(shared));
}

TEST_P(CollectorTest, a_dry_run_says_exactly_what_the_real_one_then_does) {
  const auto experiment = tracking.create_experiment(context, {.name = "e"});
  put(place_of(new_run(*experiment), experiment->str()), "in e");
  put(experiment->str() + "/loose", "loose file of e");
  ASSERT_TRUE(tracking.delete_experiment(context, *experiment).ok());
  deleted_run("one");
  const RunId kept = deleted_run("needed");
  register_version("mlflow-artifacts:/0/" + kept.str() + "/artifacts/model", kept);
  ASSERT_TRUE(blobs->put("named by nobody").ok());
  ASSERT_TRUE(write_file_durably(folder.path() / "blobs" / "tmp" / "left", "half").ok());
  age();
  ASSERT_TRUE(blobs->put("just written").ok());
  const auto dry = collect({.dry_run = true});
  EXPECT_EQ(json::write(collect({.dry_run = true})), json::write(dry)) << "it changed something";
  EXPECT_EQ(dry.runs, 2);
  EXPECT_EQ(dry.experiments, 1);
  EXPECT_EQ(dry.blobs.count, 4U);
  EXPECT_EQ(dry.waiting.count, 1U);
  EXPECT_EQ(dry.leftovers.bytes, 4U);
  EXPECT_EQ(dry.kept_count, 1);
  auto real = collect();
  real.dry_run = true;
  EXPECT_EQ(json::write(real), json::write(dry));
  const auto after = collect();
  EXPECT_EQ(after.runs + after.experiments, 0);
  EXPECT_EQ(after.blobs.count + after.leftovers.count, 0U);
  EXPECT_EQ(after.kept_count, 1);
}

TEST_P(CollectorTest, what_a_registered_version_was_made_by_is_kept_with_the_reason) {
  const RunId run = deleted_run("model bytes");
  register_version("mlflow-artifacts:/0/" + run.str() + "/artifacts/model", run);
  age();
  const Report report = collect();
  EXPECT_EQ(reason(report), "version 1 of model \"churn\" was made by it");
  EXPECT_TRUE(is_known(run));
  EXPECT_EQ(report.blobs.count, 0U);
  EXPECT_EQ(*artifacts.get(context, *ArtifactPath::parse(place_of(run))), "model bytes");
  ASSERT_TRUE(registry.delete_version(context, "churn", 1).ok());
  EXPECT_EQ(collect().runs, 1) << "nothing needs it any more";
}

TEST_P(CollectorTest, files_alone_keep_a_run_too) {
  const RunId run = deleted_run("model bytes");
  register_version("mlflow-artifacts://host:5000/0/" + run.str() + "/artifacts/model");
  EXPECT_EQ(reason(collect()), "the files of version 1 of model \"churn\" lie in it");
  const RunId other = deleted_run("other");
  register_version("runs:/" + other.str() + "/model");
  const Report report = collect();
  ASSERT_EQ(report.kept.size(), 2U);
  EXPECT_EQ(report.kept[1].reason, "version 2 of model \"churn\" was made by it");
}

TEST_P(CollectorTest, parents_and_models_that_were_read_are_kept) {
  const RunId parent = new_run();
  const RunId child = new_run();
  const tracking::Tag tag{"mlflow.parentRunId", parent.str()};
  ASSERT_TRUE(tracking.set_tags(context, child, std::span(&tag, 1)).ok());
  const auto teacher = models.create(context, {.experiment_id = ExperimentId("0"), .name = "t"});
  const std::vector<tracking::ModelReference> inputs{{teacher->model_id, 0}};
  ASSERT_TRUE(tracking.log_inputs(context, child, {}, inputs).ok());
  register_version("mlflow-artifacts:/0/" + child.str() + "/artifacts/model", child);
  ASSERT_TRUE(tracking.delete_run(context, parent).ok());
  ASSERT_TRUE(models.remove(context, teacher->model_id).ok());
  const Report report = collect();
  ASSERT_EQ(report.kept.size(), 2U);
  EXPECT_EQ(report.kept[0].reason, "run " + child.str() + ", which is needed, is a child of it");
  EXPECT_EQ(report.kept[1].reason, "run " + child.str() + ", which is needed, has read it");
}

TEST_P(CollectorTest, an_experiment_stays_as_long_as_something_in_it_does) {
  const auto experiment = tracking.create_experiment(context, {.name = "e"});
  const RunId run = new_run(*experiment);
  new_run(*experiment);
  register_version("mlflow-artifacts:/" + experiment->str() + "/" + run.str() + "/artifacts/model",
                   run);
  ASSERT_TRUE(tracking.delete_experiment(context, *experiment).ok());
  const Report report = collect();
  EXPECT_EQ(report.runs, 1);
  EXPECT_EQ(report.experiments, 0);
  ASSERT_EQ(report.kept.size(), 2U);
  EXPECT_EQ(report.kept[1].reason, "the files of version 1 of model \"churn\" lie in it");
  ASSERT_TRUE(registry.delete_model(context, "churn").ok());
  EXPECT_EQ(collect().experiments, 1);
}

TEST_P(CollectorTest, only_what_was_deleted_long_enough_ago) {
  const RunId old = deleted_run("old");
  clock.advance_ms(10 * kDayMs);
  const RunId young = deleted_run("young");
  const Report report = collect({.older_than_ms = 5 * kDayMs});
  EXPECT_EQ(report.runs, 1);
  EXPECT_FALSE(is_known(old));
  EXPECT_TRUE(is_known(young));
}

TEST_P(CollectorTest, only_what_is_named) {
  const RunId named = deleted_run("named");
  const RunId other = deleted_run("other");
  EXPECT_EQ(collect({.run_ids = {named.str(), named.str()}}).runs, 1);
  EXPECT_TRUE(is_known(other));
  const auto experiment = tracking.create_experiment(context, {.name = "e"});
  new_run(*experiment);
  ASSERT_TRUE(tracking.delete_experiment(context, *experiment).ok());
  const Report report = collect({.experiment_ids = {experiment->str()}});
  EXPECT_EQ(report.runs, 1);
  EXPECT_EQ(report.experiments, 1);
  EXPECT_TRUE(is_known(other));
}

TEST_P(CollectorTest, refuses_what_is_unknown_active_or_impossible) {
  const RunId active = new_run();
  const auto refused = [&](const Request& request) {
    const auto report = collector.collect(request);
    EXPECT_FALSE(report.ok());
    return report.ok() ? Code::kInternal : report.error().code;
  };
  EXPECT_EQ(refused({.run_ids = {"none"}}), Code::kNotFound);
  EXPECT_EQ(refused({.run_ids = {active.str()}}), Code::kFailedPrecondition);
  EXPECT_EQ(refused({.experiment_ids = {"77"}}), Code::kNotFound);
  EXPECT_EQ(refused({.experiment_ids = {"x"}}), Code::kInvalidArgument);
  EXPECT_EQ(refused({.experiment_ids = {"0"}}), Code::kFailedPrecondition);
  EXPECT_EQ(refused({.older_than_ms = -1}), Code::kInvalidArgument);
  EXPECT_EQ(refused({.grace_ms = kGraceMinMs - 1}), Code::kInvalidArgument);
  EXPECT_TRUE(is_known(active));
}

TEST_P(CollectorTest, young_bytes_wait) {
  const auto hash = blobs->put("named by nobody, yet")->hash;
  EXPECT_EQ(collect().waiting.count, 1U);
  EXPECT_TRUE(is_stored(hash));
  age();
  ASSERT_TRUE(blobs->touch(hash).ok());
  EXPECT_EQ(collect().blobs.count, 0U);
  age();
  EXPECT_EQ(collect().blobs.count, 1U);
  EXPECT_FALSE(is_stored(hash));
}

TEST_P(CollectorTest, bytes_of_lineage_and_those_named_inside_properties_stay) {
  const auto inside = blobs->put("statistics")->hash;
  const fs::path directory = folder.path() / "tree";
  ASSERT_TRUE(write_file_durably(directory / "rows.csv", "a,b").ok());
  const auto artifact = lineage.create_artifact(context, "dataset", directory,
                                                json::Value::object({{"statistics_blob", inside}}));
  ASSERT_TRUE(artifact.ok()) << artifact.error().message;
  age();
  EXPECT_EQ(collect().blobs.count, 0U);
  EXPECT_TRUE(is_stored(inside));
  EXPECT_TRUE(is_stored(lineage.tree(context, artifact->artifact_id)->files[0].hash));
}

TEST_P(CollectorTest, every_removal_is_in_the_log_of_events) {
  const RunId run = deleted_run("bytes");
  collect({.dry_run = true});
  EXPECT_TRUE(log.read_after(0, 10)->empty());
  collect();
  const auto all = log.read_after(0, 10);
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ(all->at(0).kind, "run.removed");
  EXPECT_EQ(all->at(0).subject, run.str());
  EXPECT_EQ(all->at(1).kind, "retention.collected");
  EXPECT_EQ(all->at(1).body.integer_or("runs", 0), 1);
}

TEST_P(CollectorTest, a_stopped_collection_is_finished_by_the_next) {
  for (int i = 0; i < 120; ++i) deleted_run("bytes " + std::to_string(i));
  age();
  std::stop_source source;
  const auto stopped = collector.collect({}, source.get_token(), [&](const Progress& progress) {
    if (progress.done > 0) source.request_stop();
  });
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  const Report rest = collect();
  EXPECT_GT(rest.runs, 0);
  EXPECT_LT(rest.runs, 120);
  EXPECT_EQ(rest.blobs.count, 120U);
}

// Uploads that find their bytes stored, while collectors take whatever nothing names. Between two
// collections nothing is named and all is old, so that only the touch of an upload saves its bytes.
TEST_P(CollectorTest, uploads_never_lose_bytes_to_a_collector) {
  const RunId run = new_run();
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> collected = 0;
  std::mutex between;
  std::atomic<bool> is_waiting = false;
  std::thread collecting([&] {
    while (!is_over) {
      while (is_waiting) std::this_thread::yield();
      const std::lock_guard lock(between);
      const auto report = collector.collect({});
      EXPECT_TRUE(report.ok()) << report.error().message;
      if (report.ok()) collected += report->blobs.count;
    }
  });
  const auto path_of = [&](int i) {
    return *ArtifactPath::parse("0/" + run.str() + "/artifacts/f" + std::to_string(i));
  };
  // At least 12 rounds, and on until the collector has had its turn on the processor.
  for (int round = 0; round < 12 || (collected == 0 && round < 10'000); ++round) {
    for (int i = 0; i < 6; ++i) put(path_of(i).str(), "content " + std::to_string(i));
    is_waiting = true;
    const std::lock_guard lock(between);
    is_waiting = false;
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(*artifacts.get(context, path_of(i)), "content " + std::to_string(i));
      EXPECT_TRUE(artifacts.remove(context, path_of(i)).ok());
    }
    age();
  }
  is_over = true;
  collecting.join();
  EXPECT_GT(collected, 0U) << "nothing was ever taken, so this has shown nothing";
}

TEST_P(CollectorTest, a_folder_stays_while_another_experiment_keeps_its_artifacts_in_it) {
  const auto host = tracking.create_experiment(context, {.name = "host"});
  const auto guest = tracking.create_experiment(
      context, {.name = "guest", .artifact_location = "mlflow-artifacts:/" + host->str()});
  ASSERT_TRUE(guest.ok()) << guest.error().message;
  const RunId run = new_run(*guest);
  const auto hash = put(place_of(run, host->str()), "the guest's");
  ASSERT_TRUE(tracking.delete_experiment(context, *host).ok());
  age();
  const Report report = collect();
  EXPECT_EQ(report.experiments, 0);
  EXPECT_EQ(reason(report), "the files of experiment " + guest->str() + " lie in it");
  EXPECT_TRUE(artifacts.get(context, *ArtifactPath::parse(place_of(run, host->str()))).ok());
  EXPECT_TRUE(is_stored(hash));
  // The guest's own goes, and then the host.
  ASSERT_TRUE(tracking.delete_experiment(context, *guest).ok());
  EXPECT_EQ(collect().runs, 1);
  EXPECT_FALSE(is_stored(hash));
  EXPECT_EQ(collect().experiments, 1);
}

TEST_P(CollectorTest, a_policy_collects_what_was_deleted_long_enough_ago) {
  Collections collections(collector, clock, ids);
  std::optional<Policies> policies;
  const auto restart = [&] {
    policies.emplace(collections, *database, clock, PolicyOptions{.deleted_ms = 30 * kDayMs});
  };
  const auto is_run = [&] {
    const auto run = policies->run_if_due();
    EXPECT_TRUE(run.ok()) << run.error().message;
    while (!collections.list().empty() && collections.list().front().state == "running") {
      std::this_thread::yield();
    }
    return run.ok() && *run;
  };
  const RunId old = deleted_run("old");
  restart();
  EXPECT_TRUE(is_run()) << "it has never been done";
  EXPECT_TRUE(is_known(old)) << "deleted just now";
  EXPECT_FALSE(is_run()) << "once in an interval";
  restart();
  EXPECT_FALSE(is_run()) << "also when the server was restarted";
  collect();
  clock.advance_ms(30 * kDayMs);
  restart();
  const RunId young = deleted_run("young");
  EXPECT_TRUE(is_run());
  EXPECT_FALSE(is_known(old));
  EXPECT_TRUE(is_known(young));
  EXPECT_EQ(collections.list().front().caller, "retention");
}

TEST_P(CollectorTest, without_a_policy_nothing_is_ever_removed) {
  Collections collections(collector, clock, ids);
  Policies policies(collections, *database, clock, {});
  const RunId run = deleted_run("bytes");
  clock.advance_ms(1'000 * kDayMs);
  EXPECT_FALSE(*policies.run_if_due());
  EXPECT_TRUE(is_known(run));
}

TEST_P(CollectorTest, one_collection_runs_at_a_time_and_can_be_watched) {
  deleted_run("bytes");
  Collections collections(collector, clock, ids);
  EXPECT_EQ(collections.start(context, {.grace_ms = 1}).error().code, Code::kInvalidArgument);
  const auto started = collections.start(context, {});
  ASSERT_TRUE(started.ok()) << started.error().message;
  EXPECT_EQ(started->state, "running");
  Collection now = *started;
  while (now.state == "running") {
    now = *collections.get(started->collection_id);
    std::this_thread::yield();
  }
  EXPECT_EQ(now.state, "succeeded");
  EXPECT_EQ(now.report->runs, 1);
  const auto failing = collections.start(context, {.run_ids = {"none"}});
  ASSERT_TRUE(failing.ok());
  collections.stop();
  EXPECT_EQ(collections.list().front().state, "failed");
  EXPECT_EQ(collections.list().size(), 2U);
  EXPECT_EQ(collections.start(context, {}).error().code, Code::kUnavailable);
  EXPECT_EQ(collections.get("none").error().code, Code::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Engines, CollectorTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

}  // namespace
}  // namespace ciclo::retention
