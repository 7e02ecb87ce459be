// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"

// The nouns of tracking, with MLflow's meanings. Plain values; their fields are what a call that is
// sent again is answered from (sql/once.h).

namespace ciclo::tracking {

using ExperimentId = Id<struct ExperimentTag>;    // digits: "0", "17"
using RunId = Id<struct RunTag>;                  // 32 hexadecimal digits, or what was imported
using LoggedModelId = Id<struct LoggedModelTag>;  // "m-" and 32 hexadecimal digits

enum class LifecycleStage { kActive, kDeleted };
enum class RunStatus { kRunning, kScheduled, kFinished, kFailed, kKilled };
enum class ViewType { kActiveOnly, kDeletedOnly, kAll };
enum class LoggedModelStatus { kUnspecified, kPending, kReady, kUploadFailed };

// "active"; "RUNNING"; "LOGGED_MODEL_PENDING": the words of the protocol and of the database.
std::string_view name_of(LifecycleStage stage);
std::string_view name_of(RunStatus status);
std::string_view name_of(LoggedModelStatus status);
// All of them, in the order of the values.
std::span<const std::string_view> enum_names(LifecycleStage);
std::span<const std::string_view> enum_names(RunStatus);
std::span<const std::string_view> enum_names(LoggedModelStatus);
std::optional<RunStatus> parse_run_status(std::string_view name);
std::optional<LoggedModelStatus> parse_logged_model_status(std::string_view name);

struct Tag {
  std::string key;
  std::string value;

  template <class V>
  void fields(V& v) {
    v("key", key);
    v("value", value);
  }
};

struct Param {
  std::string key;
  std::string value;

  template <class V>
  void fields(V& v) {
    v("key", key);
    v("value", value);
  }
};

// One point of a metric. NaN is a value; infinities are stored as the largest finite doubles. The
// latest point of a key is the one with the greatest (step, timestamp, value).
struct Metric {
  std::string key;
  double value = 0;
  std::int64_t timestamp_ms = 0;
  std::int64_t step = 0;
  // Where the point also describes a logged model, and on which data set; empty: not said.
  LoggedModelId model_id;
  std::string dataset_name;
  std::string dataset_digest;

  // JSON has no NaN: it is written as a flag.
  template <class V>
  void fields(V& v) {
    bool is_nan = std::isnan(value);
    double number = is_nan ? 0 : value;
    v("key", key);
    v("value", number);
    v("is_nan", is_nan);
    value = is_nan ? std::numeric_limits<double>::quiet_NaN() : number;
    v("timestamp_ms", timestamp_ms);
    v("step", step);
    v("model_id", model_id);
    v("dataset_name", dataset_name);
    v("dataset_digest", dataset_digest);
  }
};

struct Experiment {
  ExperimentId experiment_id;
  std::string workspace;
  std::string name;
  std::string artifact_location;  // URI
  LifecycleStage lifecycle_stage = LifecycleStage::kActive;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::vector<Tag> tags;
};

// A data set as a client describes it; `source`, `schema` and `profile` are the client's own JSON.
struct DatasetInput {
  std::string name;
  std::string digest;
  std::string source_type;
  std::string source;
  std::optional<std::string> schema;
  std::optional<std::string> profile;
  std::vector<Tag> tags;  // mlflow.data.context: "train", "eval"

  template <class V>
  void fields(V& v) {
    v("name", name);
    v("digest", digest);
    v("source_type", source_type);
    v("source", source);
    v("schema", schema);
    v("profile", profile);
    v("tags", tags);
  }
};

// A data set that runs of an experiment used, in one context ("training"; may be empty).
struct DatasetSummary {
  ExperimentId experiment_id;
  std::string name;
  std::string digest;
  std::string context;
};

struct ModelReference {
  LoggedModelId model_id;
  std::int64_t step = 0;  // of outputs

  template <class V>
  void fields(V& v) {
    v("model_id", model_id);
    v("step", step);
  }
};

struct RunInfo {
  RunId run_id;
  ExperimentId experiment_id;
  std::string name;
  std::string user_id;
  RunStatus status = RunStatus::kRunning;
  std::int64_t start_ms = 0;
  std::optional<std::int64_t> end_ms;
  LifecycleStage lifecycle_stage = LifecycleStage::kActive;
  std::string artifact_uri;  // "mlflow-artifacts:/EXPERIMENT/RUN/artifacts"

  template <class V>
  void fields(V& v) {
    v("run_id", run_id);
    v("experiment_id", experiment_id);
    v("name", name);
    v("user_id", user_id);
    v("status", status);
    v("start_ms", start_ms);
    v("end_ms", end_ms);
    v("lifecycle_stage", lifecycle_stage);
    v("artifact_uri", artifact_uri);
  }
};

struct Run {
  RunInfo info;
  std::vector<Metric> metrics;  // the latest of each key
  std::vector<Param> params;
  std::vector<Tag> tags;
  std::vector<DatasetInput> datasets;
  std::vector<ModelReference> model_inputs;
  std::vector<ModelReference> model_outputs;

  template <class V>
  void fields(V& v) {
    v("info", info);
    v("metrics", metrics);
    v("params", params);
    v("tags", tags);
    v("datasets", datasets);
    v("model_inputs", model_inputs);
    v("model_outputs", model_outputs);
  }
};

// A model as log_model of an MLflow 3 flavour records it.
struct LoggedModel {
  LoggedModelId model_id;
  ExperimentId experiment_id;
  std::string name;
  std::string model_type;
  RunId source_run_id;            // may be empty
  std::string artifact_location;  // "mlflow-artifacts:/EXPERIMENT/models/MODEL/artifacts"
  LoggedModelStatus status = LoggedModelStatus::kPending;
  std::string status_message;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::vector<Param> params;
  std::vector<Tag> tags;
  struct MetricValue {
    Metric metric;
    RunId run_id;

    template <class V>
    void fields(V& v) {
      v("metric", metric);
      v("run_id", run_id);
    }
  };
  std::vector<MetricValue> metrics;

  template <class V>
  void fields(V& v) {
    v("model_id", model_id);
    v("experiment_id", experiment_id);
    v("name", name);
    v("model_type", model_type);
    v("source_run_id", source_run_id);
    v("artifact_location", artifact_location);
    v("status", status);
    v("status_message", status_message);
    v("created_ms", created_ms);
    v("updated_ms", updated_ms);
    v("params", params);
    v("tags", tags);
    v("metrics", metrics);
  }
};

// What a comment is about (comments.h): made by Tracking and Registry, which know that it is there.
struct Commented {
  std::string kind;    // "experiment", "run", "model", "version"
  std::string object;  // an id or number that does not change with a name
  std::string name;    // for people and events: "flights/3"
};

// A page of a list; `next_page_token` is empty on the last one. A token names the last row by its
// sort key, so pages neither repeat nor skip rows while others are added or removed.
template <class T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;
};

}  // namespace ciclo::tracking
