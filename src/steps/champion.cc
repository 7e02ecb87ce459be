// SPDX-License-Identifier: Apache-2.0
#include "steps/champion.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace ciclo::steps {
namespace {

constexpr const char* kDeclaredTag = "ciclo.declared_artifact";
constexpr const char* kDeclaredAgainstTag = "ciclo.declared_judged_against";
constexpr std::int64_t kMovesMax = 1'000;
constexpr std::size_t kIdentityShown = 12;  // characters of a hash that tell it from others

std::string tag_of(const std::vector<registry::Tag>& tags, std::string_view key) {
  for (const auto& tag : tags) {
    if (tag.key == key) return tag.value;
  }
  return {};
}

// The version in whose place the champion came last; nullopt when there was none or it is gone.
Result<std::optional<registry::ModelVersion>> predecessor(registry::Registry& registry,
                                                          const Context& context,
                                                          const registry::ModelVersion& champion) {
  TRY(const auto history, registry.alias_history(context, champion.name, kChampion, kMovesMax));
  for (const auto& move : history) {
    if (move.version != champion.version) continue;
    if (!move.previous) break;
    auto previous = registry.version(context, champion.name, *move.previous);
    if (!previous.ok() && previous.error().code == Code::kNotFound) break;
    if (!previous.ok()) return previous.error();
    return std::optional(std::move(previous).value());
  }
  return std::optional<registry::ModelVersion>();
}

constexpr std::string_view kByNumber = "version ";

// The version with that identity; nullopt when it is gone. A number alone may have been given again
// after the model was deleted: to a version that has an artifact, and so another identity.
Result<std::optional<registry::ModelVersion>> version_of_identity(registry::Registry& registry,
                                                                  const Context& context,
                                                                  const std::string& model,
                                                                  const std::string& wanted) {
  if (!wanted.starts_with(kByNumber)) {
    return version_of_artifact(registry, context, model, wanted);
  }
  const auto number = parse_int(wanted.substr(kByNumber.size()));
  CHECK(number.has_value());  // identity() wrote it
  auto found = registry.version(context, model, *number);
  if (!found.ok() && found.error().code != Code::kNotFound) return found.error();
  if (!found.ok() || identity(*found) != wanted) return std::optional<registry::ModelVersion>();
  return std::optional(std::move(found).value());
}

Opponent opponent_from(std::optional<registry::ModelVersion> version) {
  Opponent out;
  if (version) out.identity = identity(*version);
  out.version = std::move(version);
  return out;
}

}  // namespace

std::string artifact_hash(const registry::ModelVersion& version) {
  return tag_of(version.tags, kArtifactHashTag);
}

std::string identity(const registry::ModelVersion& version) {
  const std::string hash = artifact_hash(version);
  return hash.empty() ? std::string(kByNumber) + std::to_string(version.version) : hash;
}

Result<std::optional<registry::ModelVersion>> version_of_artifact(registry::Registry& registry,
                                                                  const Context& context,
                                                                  const std::string& model,
                                                                  const std::string& hash) {
  registry::ModelSearch search;
  search.filter =
      "name = '" + model + "' AND tags.`" + std::string(kArtifactHashTag) + "` = '" + hash + "'";
  search.max_results = 1;
  TRY(const auto page, registry.search_versions(context, search));
  if (page.items.empty()) return std::optional<registry::ModelVersion>();
  return std::optional(page.items.front());
}

Result<Declared> declared_of(registry::Registry& registry, const Context& context,
                             const std::string& model) {
  const auto found = registry.model(context, model);
  if (!found.ok() && found.error().code == Code::kNotFound) return Declared{};
  if (!found.ok()) return found.error();
  return Declared{.artifact = tag_of(found->tags, kDeclaredTag),
                  .judged_against = tag_of(found->tags, kDeclaredAgainstTag)};
}

// The artifact last: only with it do the tags say anything.
Result<void> declare(registry::Registry& registry, const Context& context, const std::string& model,
                     const Declared& declared) {
  TRY(registry.set_model_tag(context, model, {kDeclaredAgainstTag, declared.judged_against}));
  return registry.set_model_tag(context, model, {kDeclaredTag, declared.artifact});
}

Result<Opponent> opponent(registry::Registry& registry, const Context& context,
                          const std::string& model, const std::string& hash) {
  TRY(const Declared declared, declared_of(registry, context, model));
  if (declared.artifact == hash && !declared.judged_against.empty()) {
    Opponent out;
    out.identity = declared.judged_against;
    if (out.identity == kNobody) return out;
    TRY(out.version, version_of_identity(registry, context, model, out.identity));
    if (!out.version) {
      out.obstacle = "the champion that it was judged against when it was deployed (" +
                     out.identity.substr(0, kIdentityShown) + ") is not in the registry any more";
    }
    return out;
  }
  TRY(auto champion, registry.find_by_alias(context, model, kChampion));
  if (!champion || artifact_hash(*champion) != hash) return opponent_from(std::move(champion));
  TRY(auto before, predecessor(registry, context, *champion));
  return opponent_from(std::move(before));
}

Result<void> promote(registry::Registry& registry, const Context& context,
                     const registry::ModelVersion& version,
                     const std::optional<registry::ModelVersion>& champion,
                     const std::string& judged_against, const std::string& reason) {
  if (champion && champion->version == version.version) return {};
  const auto overtaken = [&] {
    return failed_precondition(
        "another version of model " + quoted(version.name) + " became champion while version " +
        std::to_string(version.version) +
        " was judged against the one before; run again to judge it against the new one");
  };
  if (champion && !judged_against.empty() && identity(*champion) != judged_against) {
    return overtaken();
  }
  registry::Expected expected;
  if (champion) expected.version = champion->version;
  auto moved =
      registry.set_alias(context, version.name, kChampion, version.version, expected, reason);
  if (!moved.ok() && moved.error().code == Code::kConflict) return overtaken();
  return moved;
}

}  // namespace ciclo::steps
