// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "tracking/point_codec.h"
#include "tracking/types.h"

// For the store: the points of a series in the database, which are rows and chunks (decision 4).
// The chunks of a series do not overlap; a row may lie anywhere and repeat a point of a chunk.

namespace ciclo::tracking::store {

using SeriesNumber = std::int64_t;

inline constexpr std::size_t kChunkPointsMax = 1'024;

// Inclusive.
struct StepRange {
  std::int64_t first = std::numeric_limits<std::int64_t>::min();
  std::int64_t last = std::numeric_limits<std::int64_t>::max();

  bool has(std::int64_t step) const { return first <= step && step <= last; }
};

// What is known of a chunk without its points.
struct ChunkRow {
  std::int64_t number = 0;
  Point last;
  std::int64_t points = 0;
  StepRange steps;
  bool is_step_sorted = false;  // whether its order is that of (step, timestamp, value) too
};

struct Chunk {
  ChunkRow row;
  std::string data;
};

Point point_of(const Metric& metric);

// Sets what a point says; the key and the rest stay.
void set_point(Metric& metric, const Point& point);

Result<std::optional<SeriesNumber>> find_series(sql::Reader& reader, std::int64_t run,
                                                std::string_view key);

// --- Rows
Result<void> insert_rows(sql::Txn& txn, std::span<const sql::Params> rows);
sql::Params row_of(SeriesNumber series, const Point& point);
// Those from a time on, at most `limit`, in order.
Result<std::vector<Point>> rows_from(sql::Reader& reader, SeriesNumber series,
                                     std::int64_t timestamp_ms, std::int64_t limit);
// Those behind `after` (nullptr: from the first) with such steps, at most `limit`, in order.
Result<std::vector<Point>> rows_behind(sql::Reader& reader, SeriesNumber series, const Point* after,
                                       StepRange steps, std::int64_t limit);
// Those from `first` to `last`, both included.
Result<void> delete_rows(sql::Txn& txn, SeriesNumber series, const Point& first, const Point& last);

// --- Chunks
Result<std::optional<Chunk>> last_chunk(sql::Reader& reader, SeriesNumber series);
// The first that ends at or behind the point.
Result<std::optional<Chunk>> chunk_ending_at(sql::Reader& reader, SeriesNumber series,
                                             const Point& point);
// Those that end behind `after` (nullptr: from the first) and may have such steps, in order.
Result<std::vector<Chunk>> chunks_behind(sql::Reader& reader, SeriesNumber series,
                                         const Point* after, StepRange steps, std::int64_t limit);
// All that may have such steps, in order, without their points.
Result<std::vector<ChunkRow>> chunk_rows(sql::Reader& reader, SeriesNumber series, StepRange steps);
// The points of each of the chunks, in any order.
Result<void> read_chunks(
    sql::Reader& reader, std::span<const std::int64_t> numbers,
    const std::function<Result<void>(std::int64_t number, const std::vector<Point>&)>& points);
// The points are in order and not empty.
Result<void> insert_chunk(sql::Txn& txn, PointCodec& codec, SeriesNumber series,
                          std::span<const Point> points);
Result<void> replace_chunk(sql::Txn& txn, PointCodec& codec, std::int64_t number,
                           std::span<const Point> points);

// --- Both
// All points behind `after` (nullptr: from the first) with such steps, each once, ordered by
// (timestamp, step, value), while `point` returns true. Holds a few chunks.
Result<void> each_point(sql::Reader& reader, SeriesNumber series, const Point* after,
                        StepRange steps, const std::function<Result<bool>(const Point&)>& point);

}  // namespace ciclo::tracking::store
