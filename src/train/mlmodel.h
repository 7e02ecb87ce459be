// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "train/package.h"

// The files that make a package an MLflow model directory, laid out as MLflow 3.17 writes them:
// MLmodel, the input examples and, where a flavor of Python can load the model, the environments.

namespace ciclo::train {

// `model_bytes` is the size of the model's own file.
Result<void> write_mlflow_files(const std::filesystem::path& directory, const Package& package,
                                std::int64_t model_bytes);

}  // namespace ciclo::train
