// SPDX-License-Identifier: Apache-2.0
#include "http/request_counts.h"

#include <algorithm>
#include <numeric>

namespace ciclo::http {
namespace {

// The statuses that are told apart, ascending.
constexpr std::array kStatuses = {101, 200, 201, 202, 204, 206, 301, 302, 304, 307, 308, 400,
                                  401, 403, 404, 405, 408, 409, 411, 412, 413, 414, 415, 416,
                                  417, 422, 429, 431, 499, 500, 501, 502, 503, 504};

std::size_t status_class(int status) {
  const auto* const found = std::lower_bound(kStatuses.begin(), kStatuses.end(), status);
  const bool known = found != kStatuses.end() && *found == status;
  return known ? static_cast<std::size_t>(found - kStatuses.begin()) : kStatuses.size();
}

std::size_t duration_class(std::int64_t duration_us) {
  const double seconds = static_cast<double>(duration_us) / 1e6;
  const auto* const bound =
      std::lower_bound(kDurationBounds.begin(), kDurationBounds.end(), seconds);
  return static_cast<std::size_t>(bound - kDurationBounds.begin());
}

void add(std::atomic<std::uint64_t>& counter, std::uint64_t amount = 1) {
  counter.fetch_add(amount, std::memory_order_relaxed);
}

std::uint64_t value_of(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

}  // namespace

struct RequestCounts::Counters {
  std::array<std::atomic<std::uint64_t>, kStatuses.size() + 1> statuses{};
  std::array<std::atomic<std::uint64_t>, kDurationBounds.size() + 1> durations{};
  std::atomic<std::uint64_t> microseconds{0};

  RouteCounts read() const {
    RouteCounts counts;
    const auto add_status = [&counts](int status, std::uint64_t answers) {
      if (answers > 0) counts.statuses.emplace_back(status, answers);
    };
    add_status(0, value_of(statuses.back()));
    for (std::size_t i = 0; i < kStatuses.size(); ++i)
      add_status(kStatuses[i], value_of(statuses[i]));
    for (std::size_t i = 0; i < durations.size(); ++i) counts.durations[i] = value_of(durations[i]);
    counts.seconds = static_cast<double>(value_of(microseconds)) / 1e6;
    return counts;
  }
};

RequestCounts::RequestCounts(const Router& router)
    : routes_(router.routes()), counters_(std::make_unique<Counters[]>(routes_.size() + 1)) {}

RequestCounts::~RequestCounts() = default;

void RequestCounts::record(const Router::Route* route, int status, std::int64_t duration_us) {
  Counters& counters = counters_[route == nullptr ? routes_.size() : route->number];
  add(counters.statuses[status_class(status)]);
  add(counters.durations[duration_class(duration_us)]);
  add(counters.microseconds, static_cast<std::uint64_t>(std::max<std::int64_t>(duration_us, 0)));
}

std::vector<RouteCounts> RequestCounts::read() const {
  std::vector<RouteCounts> out;
  for (std::size_t i = 0; i <= routes_.size(); ++i) {
    RouteCounts counts = counters_[i].read();
    if (counts.statuses.empty()) continue;
    if (i < routes_.size()) {
      counts.method = routes_[i]->method;
      counts.path = routes_[i]->path;
    }
    out.push_back(std::move(counts));
  }
  return out;
}

}  // namespace ciclo::http
