// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Prometheus' text format, version 0.0.4, as its documentation of exposition formats describes it.

namespace ciclo::api::prometheus {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

enum class Kind { kCounter, kGauge, kHistogram };

class Exposition {
 public:
  // Begins a family of samples; those that follow belong to it. Names are letters, digits and
  // underscores; a counter's ends in "_total".
  void family(std::string_view name, Kind kind, std::string_view help);
  void sample(const Labels& labels, double value);
  void sample(const Labels& labels, std::uint64_t value);
  // `counts` has one class more than `bounds`, which ascend; a class holds what its bound and no
  // lower one admits. `sum` is of all that was observed.
  void histogram(const Labels& labels, std::span<const double> bounds,
                 std::span<const std::uint64_t> counts, double sum);

  const std::string& text() const { return text_; }

 private:
  void line(std::string_view suffix, const Labels& labels, std::string_view value);

  std::string name_;
  std::string text_;
};

}  // namespace ciclo::api::prometheus
