// SPDX-License-Identifier: Apache-2.0
#include "pipeline/catalog.h"

namespace ciclo::pipeline {

const InputArtifact* StepRun::input(std::string_view port) const {
  for (const InputArtifact& artifact : inputs) {
    if (artifact.port == port) return &artifact;
  }
  return nullptr;
}

std::string StepRun::output(std::string_view port) const {
  for (const auto& [name, directory] : outputs) {
    if (name == port) return directory;
  }
  return {};
}

}  // namespace ciclo::pipeline
