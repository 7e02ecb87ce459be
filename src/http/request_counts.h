// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/router.h"

namespace ciclo::http {

// Upper bounds of the classes of duration, in seconds; what takes longer falls in one class more.
constexpr std::array<double, 14> kDurationBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                    0.1,    0.25,  0.5,    1,     2.5,  5,     10};

// What was answered on one route since the server started.
struct RouteCounts {
  std::string method;
  std::string path;                                     // as added; empty: no route matched
  std::vector<std::pair<int, std::uint64_t>> statuses;  // ascending; 0: any other
  // By duration, from the first byte of the request to the last of the answer: class i holds those
  // of at most kDurationBounds[i] seconds and of more than the bound before.
  std::array<std::uint64_t, kDurationBounds.size() + 1> durations{};
  double seconds = 0;  // of all together
};

// Counts the answers of a server by route, status and duration. Safe to share between threads;
// recording takes no lock.
class RequestCounts {
 public:
  // The router must not change any more.
  explicit RequestCounts(const Router& router);
  ~RequestCounts();

  // `route` may be nullptr: none matched, or the request was malformed.
  void record(const Router::Route* route, int status, std::int64_t duration_us);

  // Routes with at least one answer, in the order in which they were added; last, what matched
  // none. Answers that are recorded meanwhile may be counted in a part of a route's figures.
  std::vector<RouteCounts> read() const;

 private:
  struct Counters;
  const std::vector<const Router::Route*> routes_;
  std::unique_ptr<Counters[]> counters_;  // one a route, one more for no route
};

}  // namespace ciclo::http
