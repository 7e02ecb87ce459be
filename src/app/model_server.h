// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "app/observed_server.h"
#include "base/result.h"
#include "http/router.h"

namespace ciclo::app {

// One model package behind the prediction protocols, without registry, capture or monitor.
class ModelServer {
 public:
  // Loads the package; not_found or data_loss as train::Package::load says.
  static Result<std::unique_ptr<ModelServer>> open(const std::filesystem::path& package,
                                                   const std::string& name);
  ~ModelServer();

  const http::Router& router() const;
  // Whose counters GET /metrics shows.
  ObservedServer& observed();

 private:
  struct Services;
  explicit ModelServer(std::unique_ptr<Services> services);
  std::unique_ptr<Services> services_;
};

}  // namespace ciclo::app
