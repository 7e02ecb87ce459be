// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/mlflow/routes.h"
#include "http/router.h"

namespace ciclo::api::mlflow {

// Uploads in parts and signed URLs: /2.0/mlflow-artifacts/mpu/… and /presigned/….
void add_transfer_routes(http::Router& router, const Services& services);

}  // namespace ciclo::api::mlflow
