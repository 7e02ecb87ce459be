// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/json.h"
#include "blob/store.h"

// The nouns of lineage: what came from what.

namespace ciclo::lineage {

using ArtifactId = Id<struct ArtifactTag>;
using ExecutionId = Id<struct ExecutionTag>;

// A file of an artifact: its path relative to the artifact's root ("data/part-0.parquet"), its
// bytes.
struct File {
  std::string path;
  blob::Hash hash;
  std::uint64_t size = 0;
  template <class V>
  void fields(V& v) {
    v("path", path);
    v("hash", hash);
    v("size", size);
  }
};

// A directory tree in the blob store, sorted by path. Equal trees have equal hashes.
struct Tree {
  std::string hash;
  std::vector<File> files;

  std::uint64_t size() const;
  const File* find(std::string_view path) const;
};

// An immutable directory tree with a meaning: "dataset", "model", "transform", "metrics", "report",
// "file".
struct Artifact {
  ArtifactId artifact_id;
  std::string type;
  std::string hash;  // of the tree
  std::uint64_t size = 0;
  std::int64_t files_count = 0;
  json::Value
      properties;  // an object; what is worth showing or asking: rows, learner, data set version
  std::int64_t created_ms = 0;
  template <class V>
  void fields(V& v) {
    v("artifact_id", artifact_id);
    v("type", type);
    v("hash", hash);
    v("size", size);
    v("files_count", files_count);
    v("properties", properties);
    v("created_ms", created_ms);
  }
};

// An artifact at a named input or output.
struct PortArtifact {
  std::string port;
  ArtifactId artifact_id;
  template <class V>
  void fields(V& v) {
    v("port", port);
    v("artifact_id", artifact_id);
  }
};

// Something that ran and ended: it used its inputs and, when it went well, made its outputs.
struct Execution {
  ExecutionId execution_id;
  std::string kind;        // "train"
  std::string name;        // the step's name in its pipeline
  std::string state;       // "succeeded", "failed", "cached", "cancelled"
  json::Value properties;  // an object: parameters, pipeline_run_id, run_id, …
  std::int64_t started_ms = 0;
  std::int64_t ended_ms = 0;
  std::vector<PortArtifact> inputs;
  std::vector<PortArtifact> outputs;
  template <class V>
  void fields(V& v) {
    v("execution_id", execution_id);
    v("kind", kind);
    v("name", name);
    v("state", state);
    v("properties", properties);
    v("started_ms", started_ms);
    v("ended_ms", ended_ms);
    v("inputs", inputs);
    v("outputs", outputs);
  }
};

// Part of the whole graph: the artifacts reached and the executions between them, each once.
struct Graph {
  std::vector<Artifact> artifacts;    // nearest first
  std::vector<Execution> executions;  // newest first
  bool truncated = false;             // a limit ended the search before the graph did
  template <class V>
  void fields(V& v) {
    v("artifacts", artifacts);
    v("executions", executions);
    v("truncated", truncated);
  }
};

}  // namespace ciclo::lineage
