// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/context.h"
#include "base/result.h"
#include "registry/registry.h"

// Which version of a project's model serves, which one ciclo.yaml stands for, and what a new one is
// compared with. Models are told apart by the content of the artifact that they were made from,
// never by their numbers: the same content is the same model, whenever it was registered.
//
// A retraining, or a person, may let another version serve than the one that ciclo.yaml declares.
// That version took over for good: running the unchanged project again neither judges nor deploys
// the declared model once more. Running a changed one does, as its declaration is newer.

namespace ciclo::steps {

inline constexpr const char* kChampion = "champion";

// Tags that tie a registered version to the artifact that it was made from.
inline constexpr const char* kArtifactTag = "ciclo.artifact_id";
inline constexpr const char* kArtifactHashTag = "ciclo.artifact_hash";

// The property of a gate's decision that names what the model was compared with.
inline constexpr const char* kJudgedAgainst = "judged_against";
// Its value when there was no champion.
inline constexpr const char* kNobody = "none";

// The hash of the artifact; empty for a version that was registered by other means.
std::string artifact_hash(const registry::ModelVersion& version);
// The hash of the artifact, or "version 3" without one.
std::string identity(const registry::ModelVersion& version);

// The version that was made from the artifact with that content; nullopt when there is none.
Result<std::optional<registry::ModelVersion>> version_of_artifact(registry::Registry& registry,
                                                                  const Context& context,
                                                                  const std::string& model,
                                                                  const std::string& hash);

// The model that ciclo.yaml stood for when its pipeline deployed last, kept as tags of the
// registered model.
struct Declared {
  std::string artifact;        // its hash; empty when none was deployed
  std::string judged_against;  // identity of the champion then, or kNobody; empty without a gate
};
Result<Declared> declared_of(registry::Registry& registry, const Context& context,
                             const std::string& model);
Result<void> declare(registry::Registry& registry, const Context& context, const std::string& model,
                     const Declared& declared);

// What the gate compares a model with: the champion; for the declared model, and for the champion
// itself, the one that it was compared with when it was promoted, so that judging it again gives
// the same decision.
struct Opponent {
  std::string identity = kNobody;
  std::optional<registry::ModelVersion> version;  // nullopt: nobody, or it was deleted since
  std::string obstacle;  // why it cannot be compared any more; empty when it can, or is nobody
};
Result<Opponent> opponent(registry::Registry& registry, const Context& context,
                          const std::string& model, const std::string& hash);

// Makes the version champion in the place of `champion`, which was read just now. `judged_against`
// is what its gate compared it with; empty without a gate. failed_precondition when another version
// became champion since.
Result<void> promote(registry::Registry& registry, const Context& context,
                     const registry::ModelVersion& version,
                     const std::optional<registry::ModelVersion>& champion,
                     const std::string& judged_against, const std::string& reason);

}  // namespace ciclo::steps
