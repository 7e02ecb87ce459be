// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ciclo::serve {

// The newest of many ids, by 64-bit hash: at least the last `ids_max / 2` that were added, at most
// `ids_max`, in at most 16 bytes each. Two different ids of one hash are taken for one (at a
// million ids: once in 10^7 questions). Used by one thread at a time.
class KnownIds {
 public:
  explicit KnownIds(std::size_t ids_max);

  void add(std::string_view id);
  bool has(std::string_view id) const;

 private:
  // Open addressing with linear probing; 0 marks a free slot.
  struct Generation {
    std::vector<std::uint64_t> slots;
    std::size_t used = 0;
    bool has(std::uint64_t hash) const;
    void add(std::uint64_t hash);
    void grow();
  };
  const std::size_t generation_max_;
  Generation newer_;
  Generation older_;
};

}  // namespace ciclo::serve
