// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "migrate/holdings.h"

// What two systems hold of an object, as a count and a checksum of each kind: equal exactly when
// the rows are the same, in whatever order they come.

namespace ciclo::migrate {

// The sum, modulo 2^128, of the BLAKE3 hashes of the rows.
class Digest {
 public:
  void add(std::string_view row);
  std::int64_t count() const { return count_; }

  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  std::int64_t count_ = 0;
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

// "params" → the digest of the params.
using Digests = std::map<std::string_view, Digest>;

Digests digests_of(const ExperimentRecord& record);
// Without the points.
Digests digests_of(const RunRecord& record);
Digests digests_of(const ModelRecord& record);
Digests digests_of(const RegisteredRecord& record);
void add_points(Digest& digest, std::span<const Metric> points);

// "params (3 in the source, 2 here), tags"; empty when they are equal.
std::string differences(const Digests& source, const Digests& here);

}  // namespace ciclo::migrate
