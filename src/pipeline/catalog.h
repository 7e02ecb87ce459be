// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "pipeline/spec.h"
#include "pipeline/types.h"
#include "sql/database.h"

// What the pipeline asks about kinds of steps. Implemented by `steps`; the pipeline knows none.

namespace ciclo::pipeline {

struct InputPort {
  std::string name;
  bool required = true;
};

struct OutputPort {
  std::string name;
  std::string type;  // of the artifact: dataset, model, transform, metrics, report, file
};

enum class RunsAs {
  kProcess,  // a child process that reads input directories and fills output directories
  kService,  // a function in this process, for steps that only change the database
};

struct StepKind {
  std::string name;
  RunsAs runs_as = RunsAs::kProcess;
  std::vector<InputPort> inputs;
  std::vector<OutputPort> outputs;
  // An earlier execution with the same key may stand for this one. False for steps whose effect
  // must happen each time.
  bool cacheable = true;
  // StepCatalog::committed is to be called.
  bool commits = false;
};

// One part of a cache key besides kind, parameters and inputs. The label makes "why did it run"
// readable:
// {"file data.csv", "…"}, {"the program", "…"}.
struct FingerprintPart {
  std::string label;
  std::string hash;
};

// The artifact on an input port, by name.
struct ResolvedInput {
  std::string port;
  std::string artifact_id;
  std::string hash;
};

// The artifact on an input port, with the directory where its files can be read (process steps and
// service steps alike; read-only).
struct InputArtifact {
  std::string port;
  std::string artifact_id;
  std::string hash;
  std::string type;
  json::Value properties;
  std::string directory;
};

// An execution that is about to run, runs, or has run.
struct StepRun {
  PipelineRunId pipeline_run_id;
  ExecutionId execution_id;
  std::string pipeline;
  std::string workspace;
  int attempt = 1;
  StepSpec spec;
  json::Value cause;  // of the pipeline run
  std::vector<InputArtifact> inputs;
  // Scratch directory of this execution, removed at its end.
  std::string work;
  // Output port → directory to fill. It exists and is empty.
  std::vector<std::pair<std::string, std::string>> outputs;

  const InputArtifact* input(std::string_view port) const;
  // The directory of an output port; empty for an unknown port.
  std::string output(std::string_view port) const;
};

// How to start the process of a step. The pipeline adds `--spec FILE` to argv, where FILE holds
// {kind, parameters, inputs, outputs, work, context}.
struct StepCommand {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;
  json::Value context = json::Value::object();  // members added to the `context` of the file
};

// What a service step leaves.
struct ServiceResult {
  // Output port → properties of its artifact; its files are what lies in StepRun::output(port).
  std::vector<std::pair<std::string, json::Value>> properties;
  // Runs in the transaction that records the completion, so that both happen exactly once. May run
  // several times (a conflict is retried): no other effects. An error of it fails the step.
  std::function<Result<void>(sql::Txn&)> effect;
};

// Whether what an earlier execution changed outside of its artifacts is still so.
struct Standing {
  bool holds = true;
  // When it does not hold, what is missing: "endpoint flights is gone". When it does, what is worth
  // saying although nothing has to run: "version 8 serves since". May be empty then.
  std::string remark;
};

class StepCatalog {
 public:
  virtual ~StepCatalog() = default;

  // nullptr for an unknown kind. The pointer stays valid as long as the catalog.
  virtual const StepKind* find(std::string_view kind) const = 0;
  // Names of all kinds, for messages.
  virtual std::vector<std::string> kinds() const = 0;

  // What besides kind, parameters and inputs decides the result of the step; the inputs, which are
  // known by now, may decide what that is (a gate compares with the champion, unless its input is
  // the champion). Called outside of any transaction, on a worker thread; may hash files.
  virtual Result<std::vector<FingerprintPart>> fingerprint(
      const Context& context, const StepSpec& step, const std::vector<ResolvedInput>& inputs) = 0;

  // Asked when an execution with the same key was found, which may stand for the step only if its
  // effects hold. For kinds whose effect is in the artifacts alone they always do. Called like
  // fingerprint.
  virtual Result<Standing> standing(const Context& context, const StepSpec& step,
                                    const std::vector<ResolvedInput>& inputs) {
    static_cast<void>(context), static_cast<void>(step), static_cast<void>(inputs);
    return Standing{};
  }

  // Before each start of a process step, on the thread of the execution.
  virtual Result<StepCommand> command(const Context& context, const StepRun& run) = 0;

  // Runs a service step, on the thread of the execution. It may be run again after a crash, so all
  // that must happen once belongs into the effect.
  virtual Result<ServiceResult> run_service(const Context& context, const StepRun& run) = 0;

  // For kinds that say so: in the transaction that records success, with the artifacts that it
  // stores. May run several times (a conflict is retried): no other effects. An error fails the
  // step; when it is `unavailable` or `conflict` the step may be retried.
  virtual Result<void> committed(sql::Txn& txn, const StepRun& run,
                                 const std::vector<Output>& outputs) = 0;
};

}  // namespace ciclo::pipeline
