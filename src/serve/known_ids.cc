// SPDX-License-Identifier: Apache-2.0
#include "serve/known_ids.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace ciclo::serve {
namespace {

std::uint64_t hash_of(std::string_view id) {
  return std::max<std::uint64_t>(std::hash<std::string_view>()(id), 1);
}

}  // namespace

KnownIds::KnownIds(std::size_t ids_max) : generation_max_(std::max<std::size_t>(ids_max / 2, 1)) {}

void KnownIds::add(std::string_view id) {
  const std::uint64_t hash = hash_of(id);
  if (newer_.has(hash)) return;
  if (newer_.used == generation_max_) older_ = std::exchange(newer_, {});
  newer_.add(hash);
}

bool KnownIds::has(std::string_view id) const {
  const std::uint64_t hash = hash_of(id);
  return newer_.has(hash) || older_.has(hash);
}

bool KnownIds::Generation::has(std::uint64_t hash) const {
  if (slots.empty()) return false;
  for (std::size_t i = hash & (slots.size() - 1); slots[i] != 0; i = (i + 1) & (slots.size() - 1)) {
    if (slots[i] == hash) return true;
  }
  return false;
}

void KnownIds::Generation::add(std::uint64_t hash) {
  if (2 * (used + 1) > slots.size()) grow();
  std::size_t i = hash & (slots.size() - 1);
  while (slots[i] != 0) i = (i + 1) & (slots.size() - 1);
  slots[i] = hash;
  ++used;
}

void KnownIds::Generation::grow() {
  const auto old =
      std::exchange(slots, std::vector<std::uint64_t>(std::max<std::size_t>(2 * slots.size(), 64)));
  used = 0;
  for (const std::uint64_t hash : old) {
    if (hash != 0) add(hash);
  }
}

}  // namespace ciclo::serve
