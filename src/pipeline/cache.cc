// SPDX-License-Identifier: Apache-2.0
#include "pipeline/cache.h"

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "pipeline/store.h"

namespace ciclo::pipeline {
namespace {

constexpr std::size_t kNamedChangesMax = 3;
constexpr std::size_t kShownValueMax = 40;
constexpr std::string_view kParameters = "parameters";
constexpr std::string_view kUnchanged = "nothing that decides its result has changed";

// The same value in the same words: members sorted by key, at all depths.
json::Value canonical(const json::Value& value) {
  if (value.is_array()) {
    json::Value out = json::Value::array();
    for (const json::Value& item : value.items()) out.push_back(canonical(item));
    return out;
  }
  if (!value.is_object()) return value;
  std::map<std::string, json::Value> sorted;
  for (const auto& [key, member] : value.members()) sorted[key] = canonical(member);
  return json::Value(json::Value::Object(sorted.begin(), sorted.end()));
}

std::string member_label(const std::string& parent, const std::string& key) {
  const bool plain = key.find_first_of(".\"") == std::string::npos;
  return parent + "." + (plain ? key : json::dump(key));
}

void flatten(const std::string& label, const json::Value& value, KeyParts& parts) {
  if (value.is_object() && !value.members().empty()) {
    for (const auto& [key, member] : value.members())
      flatten(member_label(label, key), member, parts);
  } else {
    parts.emplace_back(label, json::dump(canonical(value), json::NonFinite::kString));
  }
}

// Authors know their parameters without the member of the step that holds them.
std::string name_of(const std::string& label) {
  const std::string prefix = std::string(kParameters) + ".";
  return label.starts_with(prefix) ? label.substr(prefix.size()) : label;
}

std::string describe_change(const std::string& label, const std::string* before,
                            const std::string* after) {
  const bool shown = label.starts_with(kParameters) &&
                     (before == nullptr || before->size() <= kShownValueMax) &&
                     (after == nullptr || after->size() <= kShownValueMax);
  const std::string name = name_of(label);
  if (before == nullptr) return name + (shown ? " is new: " + *after : " is new");
  if (after == nullptr) return name + " was removed";
  return name + " changed" + (shown ? " from " + *before + " to " + *after : "");
}

}  // namespace

KeyParts key_parts(const StepSpec& step, const std::vector<FingerprintPart>& fingerprint,
                   const std::vector<ResolvedInput>& inputs) {
  KeyParts parts;
  parts.emplace_back("kind", step.kind);
  flatten(std::string(kParameters), step.parameters, parts);
  for (const FingerprintPart& part : fingerprint) parts.emplace_back(part.label, part.hash);
  for (const ResolvedInput& input : inputs) parts.emplace_back("input " + input.port, input.hash);
  std::sort(parts.begin(), parts.end());
  return parts;
}

std::string cache_key(const KeyParts& parts) {
  Hasher hasher;
  hasher.field("ciclo step 1");
  for (const auto& [label, value] : parts) hasher.field(label).field(value);
  return hasher.digest();
}

std::string explain_change(const KeyParts& before, const KeyParts& after) {
  const std::map<std::string, std::string> old_parts(before.begin(), before.end());
  const std::map<std::string, std::string> new_parts(after.begin(), after.end());
  std::vector<std::string> changes;
  for (const auto& [label, value] : new_parts) {
    const auto old_part = old_parts.find(label);
    if (old_part == old_parts.end()) {
      changes.push_back(describe_change(label, nullptr, &value));
    } else if (old_part->second != value) {
      changes.push_back(describe_change(label, &old_part->second, &value));
    }
  }
  for (const auto& [label, value] : old_parts) {
    if (!new_parts.contains(label)) changes.push_back(describe_change(label, &value, nullptr));
  }
  std::string text;
  for (std::size_t i = 0; i < changes.size() && i < kNamedChangesMax; ++i) {
    text += (i == 0 ? "" : ", ") + changes[i];
  }
  if (changes.size() > kNamedChangesMax) {
    text += " and " + std::to_string(changes.size() - kNamedChangesMax) + " more";
  }
  return text;
}

Result<Resolution> look_up(sql::Database& database, std::string_view workspace,
                           std::string_view pipeline, std::string_view step, KeyParts parts) {
  Resolution resolution;
  resolution.key = cache_key(parts);
  resolution.parts = std::move(parts);
  TRY(database.read([&](sql::Reader& reader) -> Result<void> {
    TRY(auto found, store::find_cache_entry(reader, workspace, resolution.key));
    if (found) {
      resolution.execution_id = found->execution_id;
      resolution.outputs = std::move(found->outputs);
      resolution.why = kUnchanged;
      return {};
    }
    TRY(const auto last, store::last_cache_entry(reader, workspace, pipeline, step));
    resolution.why = last ? explain_change(last->parts, resolution.parts) : "never run";
    return {};
  }));
  return resolution;
}

Result<Resolution> resolve_step(const Context& context, sql::Database& database,
                                lineage::Lineage& lineage, StepCatalog& catalog,
                                const std::string& pipeline, const StepSpec& step,
                                std::vector<ResolvedInput> inputs) {
  const StepKind* kind = catalog.find(step.kind);
  if (kind == nullptr) return failed_precondition("kind " + step.kind + " is not known any more");
  for (ResolvedInput& input : inputs) {
    if (!input.hash.empty()) continue;
    TRY(const auto artifact, lineage.artifact(context, lineage::ArtifactId(input.artifact_id)));
    input.hash = artifact.hash;
  }
  if (!step.cache || !kind->cacheable) {
    Resolution resolution;
    resolution.why =
        step.cache ? "a step of this kind always runs" : "it always runs (cache: false)";
    return resolution;
  }
  TRY(const auto fingerprint, catalog.fingerprint(context, step, inputs));
  TRY(Resolution resolution, look_up(database, context.workspace, pipeline, step.name,
                                     key_parts(step, fingerprint, inputs)));
  if (!resolution.execution_id) return resolution;
  TRY(const Standing standing, catalog.standing(context, step, inputs));
  if (!standing.holds) {
    resolution.execution_id.reset();
    resolution.outputs.clear();
    resolution.why = standing.remark;
  } else if (!standing.remark.empty()) {
    resolution.why += "; " + standing.remark;
  }
  return resolution;
}

}  // namespace ciclo::pipeline
