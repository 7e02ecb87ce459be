// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "tracking/store.h"
#include "tracking/store_points.h"

namespace ciclo::tracking::store {

Result<void> read_points(sql::Reader& reader, Number run, std::string_view key, const Metric* after,
                         std::int64_t limit,
                         const std::function<Result<void>(const Metric&)>& point) {
  TRY(const auto series, find_series(reader, run, key));
  if (!series || limit == 0) return {};
  std::optional<Point> behind;
  if (after != nullptr) behind = point_of(*after);
  Metric metric;
  metric.key = std::string(key);
  std::int64_t count = 0;
  return each_point(reader, *series, behind ? &*behind : nullptr, {},
                    [&](const Point& found) -> Result<bool> {
                      set_point(metric, found);
                      TRY(point(metric));
                      return ++count < limit;
                    });
}

namespace {

// Points that a reader of samples holds at once, and the parts into which it cuts a range of steps.
constexpr std::int64_t kHeldMax = 65'536;
constexpr std::uint64_t kStepBuckets = 65'536;
// More rows than folding leaves, unless the series comes from a database without chunks.
constexpr std::int64_t kSampledRowsMax = 8'192;

// A place in the order of samples, (step, timestamp, value), and the point that stands there.
struct Wanted {
  std::int64_t rank = 0;
  Point point;
};

bool by_step(const Point& a, const Point& b) {
  return std::tie(a.step, a.timestamp_ms, a.value, a.is_nan) <
         std::tie(b.step, b.timestamp_ms, b.value, b.is_nan);
}

// Where the samples of `total` points stand. As MLflow's server has it: the points in as many
// groups as samples, the first groups one larger when they do not come out even; of each group its
// first point, of the last group its last.
std::vector<Wanted> samples_of(std::int64_t total, std::int64_t points_max) {
  std::vector<Wanted> wanted(static_cast<std::size_t>(std::min(total, points_max)));
  for (std::int64_t k = 0; k < std::ssize(wanted); ++k) {
    wanted[static_cast<std::size_t>(k)].rank =
        total <= points_max ? k : k * (total / points_max) + std::min(k, total % points_max);
  }
  if (!wanted.empty()) wanted.back().rank = total - 1;
  return wanted;
}

// Those with ranks from `first` to `first + count - 1`; they are sorted.
std::span<Wanted> ranked(std::span<Wanted> wanted, std::int64_t first, std::int64_t count) {
  const auto before = [](const Wanted& w, std::int64_t rank) { return w.rank < rank; };
  const auto begin = std::lower_bound(wanted.begin(), wanted.end(), first, before);
  const auto end = std::lower_bound(begin, wanted.end(), first + count, before);
  return {begin, end};
}

// `points[0]` has the rank `first`.
void take_ranked(std::span<Wanted> wanted, std::int64_t first, std::span<const Point> points) {
  for (auto& sample : ranked(wanted, first, std::ssize(points))) {
    sample.point = points[static_cast<std::size_t>(sample.rank - first)];
  }
}

// --- A series whose steps grow with time: ranks follow from the counts of its chunks.

class SortedSeries {
 public:
  SortedSeries(sql::Reader& reader, StepRange steps) : reader_(reader), steps_(steps) {}

  // False when the steps do not grow with time, or rows lie among the chunks.
  Result<bool> open(SeriesNumber series) {
    TRY(rows_, rows_behind(reader_, series, nullptr, steps_, kSampledRowsMax + 1));
    if (std::ssize(rows_) > kSampledRowsMax) return false;
    TRY(const auto chunks, chunk_rows(reader_, series, steps_));
    if (!is_sorted(chunks)) return false;
    for (const auto& chunk : chunks) {
      TRY(const Part part, part_of(chunk));
      parts_.push_back(part);
      chunk_points_ += part.count;
    }
    return true;
  }

  std::int64_t count() const { return chunk_points_ + std::ssize(rows_); }

  Result<void> read(std::span<Wanted> wanted) {
    std::vector<std::int64_t> numbers;
    std::unordered_map<std::int64_t, const Part*> by_number;
    std::int64_t first_rank = 0;
    for (auto& part : parts_) {
      part.first_rank = first_rank;
      first_rank += part.count;
      if (ranked(wanted, part.first_rank, part.count).empty()) continue;
      numbers.push_back(part.number);
      by_number[part.number] = &part;
    }
    take_ranked(wanted, first_rank, rows_);
    return read_chunks(reader_, numbers,
                       [&](std::int64_t number, const std::vector<Point>& points) -> Result<void> {
                         const Part& part = *by_number[number];
                         take_ranked(wanted, part.first_rank,
                                     std::span(points).subspan(part.skipped, part.size()));
                         return {};
                       });
  }

 private:
  // The points of a chunk that have such steps.
  struct Part {
    std::int64_t number = 0;
    std::size_t skipped = 0;  // before them
    std::int64_t count = 0;
    std::int64_t first_rank = 0;
    std::size_t size() const { return static_cast<std::size_t>(count); }
  };

  bool is_sorted(std::span<const ChunkRow> chunks) const {
    const ChunkRow* before = nullptr;
    for (const auto& chunk : chunks) {
      if (!chunk.is_step_sorted) return false;
      if (before != nullptr && chunk.steps.first < before->steps.last) return false;
      before = &chunk;
    }
    if (!std::is_sorted(rows_.begin(), rows_.end(), by_step)) return false;
    return rows_.empty() || before == nullptr ||
           (before->last < rows_.front() && before->steps.last <= rows_.front().step);
  }

  // Only the chunks at the two ends of the range have other steps too.
  Result<Part> part_of(const ChunkRow& chunk) {
    Part part{chunk.number, 0, chunk.points, 0};
    if (steps_.has(chunk.steps.first) && steps_.has(chunk.steps.last)) return part;
    TRY(read_chunks(reader_, std::span(&chunk.number, 1),
                    [&](std::int64_t, const std::vector<Point>& points) -> Result<void> {
                      const auto first = std::partition_point(
                          points.begin(), points.end(),
                          [&](const Point& point) { return point.step < steps_.first; });
                      const auto end = std::partition_point(
                          first, points.end(),
                          [&](const Point& point) { return point.step <= steps_.last; });
                      part.skipped = static_cast<std::size_t>(first - points.begin());
                      part.count = end - first;
                      return {};
                    }));
    return part;
  }

  sql::Reader& reader_;
  StepRange steps_;
  std::vector<Part> parts_;
  std::vector<Point> rows_;
  std::int64_t chunk_points_ = 0;
};

// --- Any series: ranks are found by passes over it that hold a bounded number of points.

class AnySeries {
 public:
  AnySeries(sql::Reader& reader, SeriesNumber series, StepRange steps)
      : reader_(reader), series_(series), steps_(steps) {}

  // Holds the points as long as they are few.
  Result<void> open() {
    StepRange seen{steps_.last, steps_.first};
    TRY(each(steps_, [&](const Point& point) {
      ++count_;
      seen = {std::min(seen.first, point.step), std::max(seen.last, point.step)};
      if (count_ <= kHeldMax) held_.push_back(point);
    }));
    steps_ = seen;
    return {};
  }

  std::int64_t count() const { return count_; }

  Result<void> read(std::span<Wanted> wanted) {
    if (count_ > kHeldMax) {
      held_.clear();
      return read_among(steps_, 0, wanted);
    }
    std::sort(held_.begin(), held_.end(), by_step);
    take_ranked(wanted, 0, held_);
    return {};
  }

 private:
  // Steps between two, how many points have them and the rank of the first of these.
  struct Bucket {
    StepRange steps;
    std::int64_t first_rank = 0;
    std::int64_t count = 0;
  };

  Result<void> each(StepRange steps, const std::function<void(const Point&)>& point) {
    return each_point(reader_, series_, nullptr, steps, [&](const Point& found) -> Result<bool> {
      point(found);
      return true;
    });
  }

  // There are more points with such steps than can be held; `first_rank` is the rank of the first.
  Result<void> read_among(StepRange steps, std::int64_t first_rank, std::span<Wanted> wanted) {
    if (steps.first == steps.last) return read_by_counting(steps, first_rank, wanted);
    TRY(const auto buckets, wanted_buckets(steps, first_rank, wanted));
    std::vector<Bucket> together;
    std::int64_t held = 0;
    for (const auto& bucket : buckets) {
      if (bucket.count > kHeldMax) {
        TRY(read_among(bucket.steps, bucket.first_rank,
                       ranked(wanted, bucket.first_rank, bucket.count)));
        continue;
      }
      if (held + bucket.count > kHeldMax) {
        TRY(read_together(together, wanted));
        together.clear();
        held = 0;
      }
      together.push_back(bucket);
      held += bucket.count;
    }
    return read_together(together, wanted);
  }

  // Points of one step come in the order of samples.
  Result<void> read_by_counting(StepRange steps, std::int64_t first_rank,
                                std::span<Wanted> wanted) {
    std::int64_t rank = first_rank;
    auto next = wanted.begin();
    return each(steps, [&](const Point& point) {
      if (next != wanted.end() && next->rank == rank) (next++)->point = point;
      ++rank;
    });
  }

  // Cuts the range evenly; of the parts, those in which something is wanted.
  Result<std::vector<Bucket>> wanted_buckets(StepRange steps, std::int64_t first_rank,
                                             std::span<Wanted> wanted) {
    const auto origin = static_cast<std::uint64_t>(steps.first);
    const std::uint64_t width =
        (static_cast<std::uint64_t>(steps.last) - origin) / kStepBuckets + 1;
    std::vector<std::int64_t> counts(kStepBuckets, 0);
    TRY(each(steps, [&](const Point& point) {
      ++counts[(static_cast<std::uint64_t>(point.step) - origin) / width];
    }));
    std::vector<Bucket> buckets;
    for (std::uint64_t i = 0; i < kStepBuckets; ++i) {
      if (!ranked(wanted, first_rank, counts[i]).empty()) {
        const auto first = static_cast<std::int64_t>(origin + i * width);
        const auto left =
            static_cast<std::uint64_t>(steps.last) - static_cast<std::uint64_t>(first);
        const auto last = static_cast<std::int64_t>(static_cast<std::uint64_t>(first) +
                                                    std::min(width - 1, left));
        buckets.push_back({{first, last}, first_rank, counts[i]});
      }
      first_rank += counts[i];
    }
    return buckets;
  }

  Result<void> read_together(std::span<const Bucket> buckets, std::span<Wanted> wanted) {
    if (buckets.empty()) return {};
    std::vector<Point> points;
    TRY(each({buckets.front().steps.first, buckets.back().steps.last}, [&](const Point& point) {
      const auto bucket = std::partition_point(
          buckets.begin(), buckets.end(),
          [&](const Bucket& candidate) { return candidate.steps.last < point.step; });
      if (bucket != buckets.end() && bucket->steps.has(point.step)) points.push_back(point);
    }));
    std::sort(points.begin(), points.end(), by_step);
    std::span<const Point> rest(points);
    for (const auto& bucket : buckets) {
      const auto count = static_cast<std::size_t>(bucket.count);
      take_ranked(wanted, bucket.first_rank, rest.first(count));
      rest = rest.subspan(count);
    }
    return {};
  }

  sql::Reader& reader_;
  SeriesNumber series_;
  StepRange steps_;
  std::int64_t count_ = 0;
  std::vector<Point> held_;
};

template <class Series>
Result<std::vector<Metric>> read_samples(Series& series, std::string_view key,
                                         std::int64_t points_max) {
  auto wanted = samples_of(series.count(), points_max);
  TRY(series.read(wanted));
  std::vector<Metric> out(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    out[i].key = std::string(key);
    set_point(out[i], wanted[i].point);
  }
  return out;
}

}  // namespace

Result<std::vector<Metric>> sample_points(sql::Reader& reader, Number run, std::string_view key,
                                          std::int64_t step_min, std::int64_t step_max,
                                          std::int64_t points_max) {
  TRY(const auto series, find_series(reader, run, key));
  if (!series || step_min > step_max) return std::vector<Metric>();
  const StepRange steps{step_min, step_max};
  SortedSeries sorted(reader, steps);
  TRY(const bool is_sorted, sorted.open(*series));
  if (is_sorted) return read_samples(sorted, key, points_max);
  AnySeries any(reader, *series, steps);
  TRY(any.open());
  return read_samples(any, key, points_max);
}

}  // namespace ciclo::tracking::store
