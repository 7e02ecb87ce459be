// SPDX-License-Identifier: Apache-2.0
#include "features/spec.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <utility>

#include "base/json_fields.h"
#include "base/text.h"

namespace ciclo::features {
namespace {

// The members that an encoding takes beside `column` and `encode`.
std::vector<std::string> options_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::kNumeric:
      return {"impute", "fill", "clip_low", "clip_high", "log", "standardise", "indicator"};
    case Encoding::kTarget: return {"categories_max", "smoothing", "folds"};
    case Encoding::kTimestamp: return {"parts"};
    case Encoding::kHashedText: return {"buckets"};
    case Encoding::kOneHot:
    case Encoding::kOrdinal:
    case Encoding::kFrequency: break;
  }
  return {"categories_max"};
}

struct Features {
  std::vector<ColumnSpec> features;

  template <class V>
  void fields(V& v) {
    v("features", features);
  }
};

Result<void> check_members(const json::Value& item, Encoding encoding) {
  auto allowed = options_of(encoding);
  allowed.insert(allowed.begin(), {"column", "encode"});
  for (const auto& [key, value] : item.members()) {
    if (std::find(allowed.begin(), allowed.end(), key) != allowed.end()) continue;
    const auto near = nearest(key, allowed);
    return invalid_argument(quoted(key) + " is no option of encode " +
                            std::string(enum_names(encoding)[static_cast<std::size_t>(encoding)]) +
                            (near.empty() ? ", which takes: " + join(options_of(encoding), ", ")
                                          : "; did you mean " + quoted(near) + "?"));
  }
  return {};
}

Result<void> check_ranges(const ColumnSpec& spec) {
  if (spec.column.empty()) return invalid_argument("column: must not be empty");
  if (spec.clip_low && spec.clip_high && *spec.clip_low > *spec.clip_high) {
    return invalid_argument("clip_low must not be above clip_high");
  }
  if (spec.categories_max < 1 || spec.categories_max > 10'000) {
    return invalid_argument("categories_max must lie between 1 and 10000, got " +
                            std::to_string(spec.categories_max));
  }
  if (spec.smoothing < 0) return invalid_argument("smoothing must not be negative");
  if (spec.folds < 2 || spec.folds > 100) {
    return invalid_argument("folds must lie between 2 and 100, got " + std::to_string(spec.folds));
  }
  if (spec.buckets < 1 || spec.buckets > 1 << 20) {
    return invalid_argument("buckets must lie between 1 and 1048576, got " +
                            std::to_string(spec.buckets));
  }
  if (spec.parts.empty()) return invalid_argument("parts: name at least one");
  return {};
}

Result<void> check_column(const ColumnSpec& spec, const json::Value& item) {
  TRY(check_members(item, spec.encode));
  if (spec.impute != ColumnSpec::Impute::kConstant && item.find("fill") != nullptr) {
    return invalid_argument("fill is used only with impute: constant");
  }
  return check_ranges(spec);
}

}  // namespace

std::span<const std::string_view> enum_names(Encoding) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "numeric", "one_hot", "ordinal", "target", "frequency", "timestamp", "hashed_text"};
  return kNames;
}

std::span<const std::string_view> enum_names(ColumnSpec::Impute) {
  static constexpr std::array<std::string_view, 4> kNames = {"none", "mean", "median", "constant"};
  return kNames;
}

Result<Spec> parse_spec(const json::Value& value) {
  // Read as a member, so that errors name the place as features[2].impute.
  TRY(auto read, json::read_node<Features>(json::Value::object({{"features", value}})));
  if (read.features.empty()) return invalid_argument("features: name at least one column");
  std::set<std::string> seen;
  for (std::size_t i = 0; i < read.features.size(); ++i) {
    const auto& column = read.features[i];
    const auto place = "features[" + std::to_string(i) + "]";
    const auto checked = check_column(column, value.items()[i]);
    if (!checked.ok()) return checked.error().with_context(place);
    if (!seen.insert(column.column).second) {
      return invalid_argument(place + ": column " + quoted(column.column) + " is named twice");
    }
  }
  return std::move(read.features);
}

json::Value spec_to_json(const Spec& spec) {
  auto list = json::Value::array();
  for (const auto& column : spec) {
    const auto all = json::to_value(column);
    auto item = json::Value::object({{"column", column.column}, {"encode", *all.find("encode")}});
    for (const auto& option : options_of(column.encode)) {
      if (option == "fill" && column.impute != ColumnSpec::Impute::kConstant) continue;
      if (const auto* member = all.find(option)) item[option] = *member;
    }
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace ciclo::features
