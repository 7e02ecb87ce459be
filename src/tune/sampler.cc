// SPDX-License-Identifier: Apache-2.0
#include "tune/sampler.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/random.h"

namespace ciclo::tune {
namespace {

// FNV-1a, the same on every machine.
std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

json::Value draw(const Parameter& parameter, SeededRandom& random) {
  using Kind = Parameter::Kind;
  if (parameter.kind == Kind::kFixed) return parameter.choices.front();
  if (parameter.kind == Kind::kCategorical) {
    return parameter.choices[random.below(parameter.choices.size())];
  }
  double low = parameter.low;
  double high = parameter.high;
  if (parameter.kind == Kind::kInt && !parameter.log) {
    const auto values = static_cast<std::uint64_t>(high - low) + 1;
    return json::Value(static_cast<std::int64_t>(low) +
                       static_cast<std::int64_t>(random.below(values)));
  }
  // Each whole number owns the interval of half a unit around it, so that both ends are as likely
  // as their neighbours.
  if (parameter.kind == Kind::kInt) {
    low -= 0.5;
    high += 0.5;
  }
  const double part = random.uniform();
  double value = parameter.log ? std::exp(std::log(low) + part * (std::log(high) - std::log(low)))
                               : low + part * (high - low);
  if (parameter.kind == Kind::kInt) value = std::round(value);
  value = std::clamp(value, parameter.low, parameter.high);
  if (parameter.kind == Kind::kFloat) return json::Value(value);
  return json::Value(static_cast<std::int64_t>(value));
}

}  // namespace

RandomSampler::RandomSampler(Space space, std::uint64_t seed)
    : space_(std::move(space)), seed_(seed) {}

json::Value RandomSampler::suggest(std::uint64_t trial) const {
  auto parameters = json::Value::object();
  for (const auto& parameter : space_) {
    // Two rounds of mixing, so that neighbouring seeds and trials have nothing in common.
    const std::uint64_t stream = SeededRandom(seed_ ^ hash_name(parameter.name)).next();
    SeededRandom random(stream + trial * 0x9e3779b97f4a7c15);
    SeededRandom mixed(random.next());
    parameters[parameter.name] = draw(parameter, mixed);
  }
  return parameters;
}

}  // namespace ciclo::tune
