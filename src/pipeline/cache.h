// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "lineage/lineage.h"
#include "pipeline/catalog.h"
#include "pipeline/spec.h"
#include "pipeline/types.h"
#include "sql/database.h"

// Which earlier execution may stand for a step. The key is a hash over everything that decides the
// result: kind, parameters, fingerprint and the content of the inputs. The parts are kept beside
// the key, so that a miss can say what changed since the step last ran.

namespace ciclo::pipeline {

// Label → value in a form for people: ("parameters.rate", "0.1"), ("input rows", hash), ("kind",
// "train"). Sorted by label.
using KeyParts = std::vector<std::pair<std::string, std::string>>;

// The parts of a step's key; parameters are flattened to their leaves.
KeyParts key_parts(const StepSpec& step, const std::vector<FingerprintPart>& fingerprint,
                   const std::vector<ResolvedInput>& inputs);

// 64 hexadecimal digits.
std::string cache_key(const KeyParts& parts);

// What changed, in one line: "rate changed from 0.1 to 0.2", "input rows changed, file x.csv
// changed"; at most three changes are named.
std::string explain_change(const KeyParts& before, const KeyParts& after);

// What was found for a step before it would run.
struct Resolution {
  std::string key;  // empty: its result is not to be kept for others
  KeyParts parts;
  // Of the entry that was found; nothing: the step has to run.
  std::optional<ExecutionId> execution_id;
  std::vector<Output> outputs;
  // Why it has to run, or why the entry may stand for it.
  std::string why;
};

// Asks the catalog for the fingerprint, looks the key up, and asks the catalog whether what was
// found still stands. An input without a hash is an artifact
// that exists; its hash is looked up, not_found when it does not.
Result<Resolution> resolve_step(const Context& context, sql::Database& database,
                                lineage::Lineage& lineage, StepCatalog& catalog,
                                const std::string& pipeline, const StepSpec& step,
                                std::vector<ResolvedInput> inputs);

// The second half of it.
Result<Resolution> look_up(sql::Database& database, std::string_view workspace,
                           std::string_view pipeline, std::string_view step, KeyParts parts);

}  // namespace ciclo::pipeline
