// SPDX-License-Identifier: Apache-2.0
#include "data/statistics.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/clock.h"
#include "base/json_fields.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "data/number_name.h"
#include "data/sketch.h"

namespace ciclo::data {
namespace {

constexpr auto kLimit = static_cast<std::size_t>(kDistinctExact);
// A column that has so many rows for its first kLimit values may have frequent ones; below, it is
// nearly unique.
constexpr std::int64_t kNotUnique = kDistinctExact * 5 / 4;
// In one reading of the table; bounds the memory of wide ones.
constexpr std::size_t kColumnsAtOnce = 32;

using Weighted = std::vector<std::pair<double, std::int64_t>>;

std::string value_text(ColumnType type, double value) {
  if (type == ColumnType::kBoolean) return value == 0 ? "false" : "true";
  if (type == ColumnType::kTimestamp && std::abs(value) < 1e14) {
    return format_utc(static_cast<std::int64_t>(std::floor(value)));
  }
  return number_name(value);
}

// Count, mean and sum of squared deviations, merged by Chan, Golub and LeVeque (1979).
struct Moments {
  double count = 0;
  double mean = 0;
  double squares = 0;

  void add(std::span<const double> values) {
    const auto n = static_cast<double>(values.size());
    double sum = 0;
    for (const double value : values) sum += value;
    const double its_mean = sum / n;
    double its_squares = 0;
    for (const double value : values) its_squares += (value - its_mean) * (value - its_mean);
    const double delta = its_mean - mean;
    const double total = count + n;
    mean += delta * (n / total);
    squares += its_squares + delta * delta * (count * n / total);
    count = total;
  }
};

bool is_whole(double value) {
  return std::abs(value) >= 9.007199254740992e15 ||
         static_cast<double>(static_cast<std::int64_t>(value)) == value;
}

void put_top(std::vector<ValueCount> all, ColumnStatistics& out) {
  const auto more = [](const ValueCount& a, const ValueCount& b) {
    return a.count != b.count ? a.count > b.count : a.value < b.value;
  };
  const std::size_t keep = std::min(all.size(), kTopValues);
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(keep), all.end(), more);
  all.resize(keep);
  out.top = std::move(all);
}

// The value at index floor(q * (n - 1)) of the values written out in order.
std::vector<double> quantiles_of(const Weighted& values, std::int64_t n) {
  std::vector<double> out;
  std::int64_t below = 0;
  std::size_t at = 0;
  for (const double q : kQuantileLevels) {
    const auto rank = static_cast<std::int64_t>(std::floor(q * static_cast<double>(n - 1)));
    while (at + 1 < values.size() && below + values[at].second <= rank)
      below += values[at++].second;
    out.push_back(values[at].first);
  }
  return out;
}

void put_histogram(const Weighted& values, std::int64_t n, ColumnStatistics& out) {
  static constexpr std::array<std::size_t, 11> kDeciles = {0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14};
  for (const std::size_t index : kDeciles) {
    const double edge = out.quantiles[index];
    if (out.edges.empty() || edge > out.edges.back()) out.edges.push_back(edge);
  }
  if (out.edges.size() == 1) out.edges.push_back(out.edges.front());
  out.counts.assign(out.edges.size() - 1, 0);
  std::size_t bin = 0;
  for (const auto& [value, count] : values) {
    while (bin + 1 < out.counts.size() && value >= out.edges[bin + 1]) ++bin;
    out.counts[bin] += count;
  }
  std::int64_t sum = 0;
  for (const std::int64_t count : out.counts) sum += count;
  CHECK(sum == n);
}

class ColumnBuilder {
 public:
  ColumnBuilder(std::string name, ColumnType type) {
    out_.name = std::move(name);
    out_.type = type;
  }

  void add(const Column& column) {
    CHECK(column.type == out_.type);
    out_.rows += static_cast<std::int64_t>(column.rows());
    if (out_.type == ColumnType::kText) {
      add_texts(column);
    } else {
      add_numbers(column.numbers);
    }
  }

  ColumnStatistics build() const {
    ColumnStatistics out = out_;
    out.exact = !overflowed_;
    if (out.type == ColumnType::kText) {
      build_texts(out);
    } else {
      build_numbers(out);
    }
    return out;
  }

  const std::string& name() const { return out_.name; }

 private:
  void add_numbers(std::span<const double> numbers) {
    scratch_.clear();
    for (const double number : numbers) {
      if (std::isnan(number)) {
        ++out_.nulls;
      } else if (std::isinf(number)) {
        ++out_.infinite;
        (number > 0 ? seen_plus_ : seen_minus_) = true;
      } else {
        scratch_.push_back(number == 0 ? 0.0 : number);
      }
    }
    if (scratch_.empty()) return;
    moments_.add(scratch_);
    double low = min_;
    double high = max_;
    std::int64_t zeros = 0;
    for (const double value : scratch_) {
      low = value < low ? value : low;
      high = value > high ? value : high;
      zeros += value == 0 ? 1 : 0;
    }
    min_ = low;
    max_ = high;
    out_.zeros += zeros;
    integral_ = integral_ && std::all_of(scratch_.begin(), scratch_.end(), is_whole);
    count_numbers();
  }

  void count_numbers() {
    std::size_t row = 0;
    for (; row < scratch_.size() && !overflowed_; ++row) {
      if (!numbers_.add(scratch_[row], kLimit)) overflow_numbers(row);
    }
    if (!overflowed_) return;
    if (row > 0) --row;  // the one that did not fit
    for (; row < scratch_.size(); ++row) {
      const double value = scratch_[row];
      quantiles_.add(value);
      distinct_.add(mix_number(value));
      if (tracking_ && !numbers_.add(value, kLimit)) numbers_.shrink();
    }
  }

  void overflow_numbers(std::size_t rows_of_piece) {
    overflowed_ = true;
    for (const auto& [value, count] : numbers_.items()) {
      quantiles_.add(value, count);
      distinct_.add(mix_number(value));
    }
    const auto values = static_cast<std::int64_t>(moments_.count) -
                        static_cast<std::int64_t>(scratch_.size() - rows_of_piece);
    tracking_ = values >= kNotUnique;
    if (!tracking_) numbers_ = NumberCounts();
  }

  void add_texts(const Column& column) {
    for (std::size_t row = 0; row < column.texts.size(); ++row) {
      if (column.valid[row] == 0) {
        ++out_.nulls;
      } else {
        add_text(column.texts[row]);
      }
    }
  }

  void add_text(std::string_view text) {
    const auto length = static_cast<std::int64_t>(text.size());
    shortest_ = std::min(shortest_, length);
    longest_ = std::max(longest_, length);
    length_sum_ += length;
    out_.empty_texts += length == 0 ? 1 : 0;
    const std::uint64_t mixed = mix_text(text);
    if (overflowed_) {
      distinct_.add(mixed);
      if (tracking_ && !texts_.add(text, mixed, kLimit)) texts_.shrink();
    } else if (!texts_.add(text, mixed, kLimit)) {
      overflow_texts();
      distinct_.add(mixed);
    }
  }

  void overflow_texts() {
    overflowed_ = true;
    for (const auto& item : texts_.items()) distinct_.add(item.mixed);
    tracking_ = out_.rows - out_.nulls >= kNotUnique;
    if (!tracking_) texts_ = TextCounts();
  }

  std::int64_t estimate() const {
    return std::clamp(std::llround(distinct_.estimate()),
                      static_cast<long long>(kDistinctExact + 1),
                      static_cast<long long>(out_.rows - out_.nulls));
  }

  void build_texts(ColumnStatistics& out) const {
    out.distinct = overflowed_ ? estimate() : static_cast<std::int64_t>(texts_.size());
    std::vector<ValueCount> values;
    for (const auto& item : texts_.items()) values.push_back({item.text, item.count});
    put_top(std::move(values), out);
    if (out.present() == 0) return;
    out.length_min = shortest_;
    out.length_max = longest_;
    out.length_mean = static_cast<double>(length_sum_) / static_cast<double>(out.present());
  }

  void build_numbers(ColumnStatistics& out) const {
    out.distinct = overflowed_ ? estimate()
                               : static_cast<std::int64_t>(numbers_.size()) + (seen_plus_ ? 1 : 0) +
                                     (seen_minus_ ? 1 : 0);
    const Weighted counted = numbers_.items();
    std::vector<ValueCount> values;
    for (const auto& [value, count] : counted)
      values.push_back({value_text(out.type, value), count});
    put_top(std::move(values), out);
    const auto n = static_cast<std::int64_t>(moments_.count);
    if (n == 0) return;
    out.min = min_;
    out.max = max_;
    out.mean = moments_.mean;
    if (n > 1) out.std = std::sqrt(moments_.squares / static_cast<double>(n - 1));
    out.integral = integral_;
    const Weighted sorted = overflowed_ ? quantiles_.weighted() : counted;
    out.quantiles = quantiles_of(sorted, n);
    // A sketch may have dropped the ends.
    out.quantiles.front() = min_;
    out.quantiles.back() = max_;
    put_histogram(sorted, n, out);
  }

  ColumnStatistics out_;
  Moments moments_;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
  bool integral_ = true;
  bool seen_plus_ = false;
  bool seen_minus_ = false;
  std::int64_t shortest_ = std::numeric_limits<std::int64_t>::max();
  std::int64_t longest_ = 0;
  std::int64_t length_sum_ = 0;

  // Up to kLimit values: numbers_ or texts_ hold all of them. Then overflowed_: the sketches do,
  // and the counts go on as lower bounds while tracking_.
  bool overflowed_ = false;
  bool tracking_ = true;
  NumberCounts numbers_;
  TextCounts texts_;
  DistinctSketch distinct_;
  QuantileSketch quantiles_;
  std::vector<double> scratch_;
};

}  // namespace

struct StatisticsBuilder::State {
  bool started = false;
  std::int64_t rows = 0;
  std::vector<ColumnBuilder> columns;
};

StatisticsBuilder::StatisticsBuilder() : state_(std::make_unique<State>()) {}
StatisticsBuilder::~StatisticsBuilder() = default;
StatisticsBuilder::StatisticsBuilder(StatisticsBuilder&&) noexcept = default;
StatisticsBuilder& StatisticsBuilder::operator=(StatisticsBuilder&&) noexcept = default;

void StatisticsBuilder::add(const Batch& batch) {
  if (!state_->started) {
    for (const auto& column : batch.columns) state_->columns.emplace_back(column.name, column.type);
    state_->started = true;
  }
  CHECK(batch.columns.size() == state_->columns.size());
  for (std::size_t i = 0; i < batch.columns.size(); ++i) {
    CHECK(batch.columns[i].name == state_->columns[i].name());
    state_->columns[i].add(batch.columns[i]);
  }
  state_->rows += static_cast<std::int64_t>(batch.rows());
}

Statistics StatisticsBuilder::build() const {
  Statistics statistics;
  statistics.rows = state_->rows;
  for (const auto& column : state_->columns) statistics.columns.push_back(column.build());
  return statistics;
}

const ColumnStatistics* Statistics::find(std::string_view name) const {
  for (const auto& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

namespace {

// Column numbers to read together: as even as possible over the threads, text weighing three times.
std::vector<std::vector<std::size_t>> deal_columns(const std::vector<ResultColumn>& columns,
                                                   std::size_t threads) {
  const std::size_t groups = std::max(std::min(threads, columns.size()),
                                      (columns.size() + kColumnsAtOnce - 1) / kColumnsAtOnce);
  std::vector<std::vector<std::size_t>> dealt(groups);
  std::vector<int> weights(groups);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto lightest = std::min_element(weights.begin(), weights.end());
    dealt[static_cast<std::size_t>(lightest - weights.begin())].push_back(i);
    *lightest += columns[i].type == ColumnType::kText ? 3 : 1;
  }
  return dealt;
}

Result<Statistics> read_columns(const Engine& engine, const Context& context, const Table& table,
                                const std::vector<ResultColumn>& columns,
                                const std::vector<std::size_t>& chosen) {
  std::string names;
  for (const std::size_t i : chosen) {
    names += (names.empty() ? "" : ", ") + quote_identifier(columns[i].name);
  }
  StatisticsBuilder builder;
  TRY(engine.query(context, {table}, "SELECT " + names + " FROM " + quote_identifier(table.name),
                   [&](const Batch& batch) -> Result<void> {
                     builder.add(batch);
                     return {};
                   }));
  return builder.build();
}

Result<std::vector<ResultColumn>> choose_columns(const Engine& engine, const Context& context,
                                                 const Table& table,
                                                 const std::vector<std::string>& names) {
  TRY(auto all, engine.describe(context, {table}, "SELECT * FROM " + quote_identifier(table.name)));
  if (names.empty()) return all;
  std::vector<ResultColumn> chosen;
  std::vector<std::string> known;
  for (const auto& column : all) known.push_back(column.name);
  for (const auto& name : names) {
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end()) {
      const std::string_view near = nearest(name, known);
      return invalid_argument("table " + quoted(table.name) + " has no column " + quoted(name) +
                              (near.empty() ? "" : "; did you mean " + quoted(near) + "?"));
    }
    chosen.push_back(all[static_cast<std::size_t>(at - known.begin())]);
  }
  return chosen;
}

}  // namespace

Result<Statistics> compute_statistics(const Engine& engine, const Context& context,
                                      const Table& table, const std::vector<std::string>& names) {
  TRY(const auto columns, choose_columns(engine, context, table, names));
  // A text file would be parsed again for each group.
  const bool columnar = table.format == FileFormat::kParquet;
  const std::size_t threads =
      columnar ? static_cast<std::size_t>(std::max(1, engine.options().threads)) : 1;
  const auto groups = deal_columns(columns, threads);
  const Engine one_thread = engine.with_threads(1);

  std::mutex mutex;
  std::vector<ColumnStatistics> done(columns.size());  // guarded by mutex
  std::optional<Error> failed;                         // guarded by mutex
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t group = next++; group < groups.size(); group = next++) {
      auto part = read_columns(one_thread, context, table, columns, groups[group]);
      const std::lock_guard lock(mutex);
      if (!part.ok()) {
        failed = part.error();
        return;
      }
      for (std::size_t i = 0; i < groups[group].size(); ++i) {
        done[groups[group][i]] = std::move(part->columns[i]);
      }
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(threads, groups.size()); ++i) {
      others.emplace_back([&work] {
        set_thread_name("statistics");
        work();
      });
    }
    work();
  }
  if (failed) return *failed;
  Statistics statistics;
  statistics.rows = done.empty() ? 0 : done.front().rows;
  statistics.columns = std::move(done);
  return statistics;
}

std::string to_json(const Statistics& statistics) { return json::write(statistics); }

Result<Statistics> statistics_from_json(std::string_view text) {
  return json::read<Statistics>(text);
}

}  // namespace ciclo::data
