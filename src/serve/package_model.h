// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"
#include "registry/registry.h"
#include "serve/model.h"
#include "tracking/artifacts.h"
#include "train/package.h"

// Models from packages: train::Package behind the ports of model.h.

namespace ciclo::serve {

// A package as a model: its outputs become columns named as its signature names them.
std::unique_ptr<Model> package_model(train::Package package);

// Finds versions in the registry, brings their files into a local directory by content, so that
// versions of equal content share one, and loads them. The files of the last `kept_max` packages
// are kept. Safe to share between threads.
class PackageSource final : public ModelSource {
 public:
  // All must outlive the source; the directory is made when the first package comes.
  PackageSource(registry::Registry& registry, tracking::Artifacts& artifacts,
                std::filesystem::path directory, std::size_t kept_max = 32);

  Result<std::string> resolve(const Context& ctx, std::string_view model,
                              std::string_view alias) override;
  Result<std::unique_ptr<Model>> load(const Context& ctx, std::string_view model,
                                      std::string_view version) override;

  // The package itself, for those who ask what it was trained on.
  Result<train::Package> package(const Context& ctx, std::string_view model,
                                 std::string_view version);

 private:
  Result<std::filesystem::path> check_out(const Context& ctx, const tracking::ArtifactPath& root);
  void remove_oldest();

  registry::Registry& registry_;
  tracking::Artifacts& artifacts_;
  const std::filesystem::path directory_;
  const std::size_t kept_max_;
  std::mutex mutex_;  // one package at a time: held while files are written, and read
};

}  // namespace ciclo::serve
