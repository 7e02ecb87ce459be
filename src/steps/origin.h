// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "lineage/lineage.h"
#include "pipeline/catalog.h"

// What a step's outputs are made from, told by content: for the lineage.json of a model package.

namespace ciclo::steps {

// {"inputs": {PORT: hash of the artifact}, "data_sets": [{"name", "version"}, …]}: the inputs, and
// the data set versions (data::version_hash) that they came from, by name. Holds no id and no time,
// so that an execution repeated on equal inputs gets the same.
Result<json::Value> origin_of(lineage::Lineage& lineage, const Context& context,
                              const pipeline::StepRun& run);

}  // namespace ciclo::steps
