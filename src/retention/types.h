// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a collection is asked for, and what it says afterwards. Plain values.

namespace ciclo::retention {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDayMs = 86'400'000;

// How long ago a value must have been written last before it counts as left over: longer than any
// writer takes between storing bytes and the row that names them.
constexpr std::int64_t kGraceMs = kDayMs;
constexpr std::int64_t kGraceMinMs = 2 * kMinuteMs;

// Request::cause of what the policies ask for.
constexpr std::string_view kPolicyCause = "policy";

struct Request {
  bool dry_run = false;
  std::int64_t older_than_ms = 0;           // only what was deleted at least so long ago
  std::vector<std::string> experiment_ids;  // only these, with what is in them
  std::vector<std::string> run_ids;         // only these
  std::int64_t grace_ms = kGraceMs;         // at least kGraceMinMs
  std::string_view cause = "gc";            // subject of retention.collected; not of the protocol

  template <class V>
  void fields(V& v) {
    v.or_default("dry_run", dry_run);
    v.or_default("older_than_ms", older_than_ms);
    v.or_default("experiment_ids", experiment_ids);
    v.or_default("run_ids", run_ids);
    v.or_default("grace_ms", grace_ms);
  }
};

// A run, logged model or experiment that is removed.
struct Removed {
  std::string kind;  // "run", "logged model", "experiment"
  std::string id;
  std::string name;
  std::string experiment_id;
  std::int64_t deleted_ms = 0;
  std::uint64_t artifact_bytes = 0;  // of its files; other names may share the bytes

  template <class V>
  void fields(V& v) {
    v("kind", kind);
    v("id", id);
    v("name", name);
    v("experiment_id", experiment_id);
    v("deleted_ms", deleted_ms);
    v("artifact_bytes", artifact_bytes);
  }
};

// One that is deleted and stays all the same.
struct Kept {
  std::string kind;
  std::string id;
  std::string name;
  std::string reason;  // `version 3 of model "churn" was made by it`

  template <class V>
  void fields(V& v) {
    v("kind", kind);
    v("id", id);
    v("name", name);
    v("reason", reason);
  }
};

struct Amount {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;

  template <class V>
  void fields(V& v) {
    v("count", count);
    v("bytes", bytes);
  }
};

// How many of `removed` and of `kept` a report names; it counts all.
constexpr std::size_t kNamedMax = 1'000;

struct Report {
  bool dry_run = false;
  std::int64_t runs = 0;  // removed, or in a dry run: that would be
  std::int64_t logged_models = 0;
  std::int64_t experiments = 0;
  std::int64_t kept_count = 0;
  std::vector<Removed> removed;  // the first kNamedMax
  std::vector<Kept> kept;        // the first kNamedMax
  Amount blobs;                  // values that nothing names
  Amount waiting;                // the same, but written within the grace period: not removed yet
  Amount leftovers;              // of writers that ended too early

  template <class V>
  void fields(V& v) {
    v("dry_run", dry_run);
    v("runs", runs);
    v("logged_models", logged_models);
    v("experiments", experiments);
    v("kept_count", kept_count);
    v("removed", removed);
    v("kept", kept);
    v("blobs", blobs);
    v("waiting", waiting);
    v("leftovers", leftovers);
  }
};

// How far a collection is: "removing runs", 50 of 200.
struct Progress {
  std::string phase;
  std::int64_t done = 0;
  std::int64_t total = 0;  // 0: not known

  template <class V>
  void fields(V& v) {
    v("phase", phase);
    v("done", done);
    v("total", total);
  }
};

}  // namespace ciclo::retention
