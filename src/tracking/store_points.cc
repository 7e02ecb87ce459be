// SPDX-License-Identifier: Apache-2.0
#include "tracking/store_points.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tracking/store.h"

namespace ciclo::tracking::store {
namespace {

// Rows and chunks that a history reads at once.
constexpr std::int64_t kRowsAtOnce = 1'024;
constexpr std::int64_t kChunksAtOnce = 8;

Point point_at(const sql::Row& row, int column) {
  return {row.integer(column), row.integer(column + 1), row.number(column + 2),
          row.boolean(column + 3)};
}

void add_key(sql::Params& params, const Point& point) {
  params.insert(params.end(),
                {point.timestamp_ms, point.step, point.value, sql::param(point.is_nan)});
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::string_view kChunkColumns =
    "chunk, last_timestamp_ms, last_step, last_value, last_is_nan, points, step_min, step_max, "
    "is_step_sorted";

ChunkRow chunk_row(const sql::Row& row) {
  return {row.integer(0),
          point_at(row, 1),
          row.integer(5),
          {row.integer(6), row.integer(7)},
          row.boolean(8)};
}

Chunk chunk_of(const sql::Row& row) { return {chunk_row(row), std::string(text_of(row.blob(9)))}; }

std::string select_chunks(std::string_view where) {
  return "SELECT " + std::string(kChunkColumns) + ", data FROM metric_chunks WHERE series = $1" +
         std::string(where);
}

constexpr std::string_view kByLast =
    " ORDER BY last_timestamp_ms, last_step, last_value, last_is_nan LIMIT ";

// The columns of a chunk behind its number and series, and the bytes that they refer to.
struct ChunkColumns {
  std::string data;
  sql::Params params;
};

ChunkColumns columns_of(PointCodec& codec, std::int64_t first_param,
                        std::span<const Point> points) {
  CHECK(!points.empty());
  CHECK(points.size() <= kChunkPointsMax);
  const auto by_step = [](const Point& a, const Point& b) { return a.step < b.step; };
  const auto [least, greatest] = std::minmax_element(points.begin(), points.end(), by_step);
  ChunkColumns columns{codec.encode(points), {first_param}};
  add_key(columns.params, points.back());
  columns.params.insert(columns.params.end(),
                        {std::ssize(points), least->step, greatest->step,
                         sql::param(std::is_sorted(points.begin(), points.end(), by_step))});
  return columns;
}

}  // namespace

Point point_of(const Metric& metric) {
  const StoredValue value = stored(metric.value);
  return {metric.timestamp_ms, metric.step, value.value, value.is_nan != 0};
}

void set_point(Metric& metric, const Point& point) {
  metric.timestamp_ms = point.timestamp_ms;
  metric.step = point.step;
  metric.value = restored(point.value, point.is_nan);
}

Result<std::optional<SeriesNumber>> find_series(sql::Reader& reader, std::int64_t run,
                                                std::string_view key) {
  return reader.query_one("SELECT series FROM metric_series WHERE run_number = $1 AND key = $2",
                          {run, key}, [](const sql::Row& row) { return row.integer(0); });
}

sql::Params row_of(SeriesNumber series, const Point& point) {
  return {series, point.timestamp_ms, point.step, point.value, sql::param(point.is_nan)};
}

Result<void> insert_rows(sql::Txn& txn, std::span<const sql::Params> rows) {
  return txn.write_many(R"(
      INSERT INTO metric_points (series, timestamp_ms, step, value, is_nan)
      VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING)",
                        rows);
}

Result<std::vector<Point>> rows_from(sql::Reader& reader, SeriesNumber series,
                                     std::int64_t timestamp_ms, std::int64_t limit) {
  return reader.query_all(R"(
      SELECT timestamp_ms, step, value, is_nan FROM metric_points
      WHERE series = $1 AND timestamp_ms >= $2
      ORDER BY timestamp_ms, step, value, is_nan LIMIT $3)",
                          {series, timestamp_ms, limit},
                          [](const sql::Row& row) { return point_at(row, 0); });
}

Result<std::vector<Point>> rows_behind(sql::Reader& reader, SeriesNumber series, const Point* after,
                                       StepRange steps, std::int64_t limit) {
  std::string statement = R"(
      SELECT timestamp_ms, step, value, is_nan FROM metric_points
      WHERE series = $1 AND step >= $2 AND step <= $3)";
  sql::Params params = {series, steps.first, steps.last, limit};
  if (after != nullptr) {
    statement += " AND (timestamp_ms, step, value, is_nan) > ($5, $6, $7, $8)";
    add_key(params, *after);
  }
  statement += " ORDER BY timestamp_ms, step, value, is_nan LIMIT $4";
  return reader.query_all(statement, params, [](const sql::Row& row) { return point_at(row, 0); });
}

Result<void> delete_rows(sql::Txn& txn, SeriesNumber series, const Point& first,
                         const Point& last) {
  sql::Params params = {series};
  add_key(params, first);
  add_key(params, last);
  return txn.write(R"(
      DELETE FROM metric_points WHERE series = $1
        AND (timestamp_ms, step, value, is_nan) >= ($2, $3, $4, $5)
        AND (timestamp_ms, step, value, is_nan) <= ($6, $7, $8, $9))",
                   params);
}

Result<std::optional<Chunk>> last_chunk(sql::Reader& reader, SeriesNumber series) {
  return reader.query_one(
      select_chunks(" ORDER BY last_timestamp_ms DESC, last_step DESC, last_value DESC, "
                    "last_is_nan DESC LIMIT 1"),
      {series}, chunk_of);
}

Result<std::optional<Chunk>> chunk_ending_at(sql::Reader& reader, SeriesNumber series,
                                             const Point& point) {
  sql::Params params = {series};
  add_key(params, point);
  return reader.query_one(
      select_chunks(" AND (last_timestamp_ms, last_step, last_value, last_is_nan) >= "
                    "($2, $3, $4, $5)" +
                    std::string(kByLast) + "1"),
      params, chunk_of);
}

Result<std::vector<Chunk>> chunks_behind(sql::Reader& reader, SeriesNumber series,
                                         const Point* after, StepRange steps, std::int64_t limit) {
  std::string where = " AND step_max >= $2 AND step_min <= $3";
  sql::Params params = {series, steps.first, steps.last, limit};
  if (after != nullptr) {
    where += " AND (last_timestamp_ms, last_step, last_value, last_is_nan) > ($5, $6, $7, $8)";
    add_key(params, *after);
  }
  return reader.query_all(select_chunks(where + std::string(kByLast) + "$4"), params, chunk_of);
}

Result<std::vector<ChunkRow>> chunk_rows(sql::Reader& reader, SeriesNumber series,
                                         StepRange steps) {
  return reader.query_all(
      "SELECT " + std::string(kChunkColumns) +
          " FROM metric_chunks WHERE series = $1 AND step_max >= $2 AND step_min <= $3 "
          "ORDER BY last_timestamp_ms, last_step, last_value, last_is_nan",
      {series, steps.first, steps.last}, chunk_row);
}

Result<void> read_chunks(
    sql::Reader& reader, std::span<const std::int64_t> numbers,
    const std::function<Result<void>(std::int64_t number, const std::vector<Point>&)>& points) {
  PointCodec codec;
  return in_chunks(numbers, [&](std::span<const std::int64_t> some) {
    Parameters parameters;
    const std::string statement = "SELECT chunk, data FROM metric_chunks WHERE chunk IN (" +
                                  placeholders(parameters, some) + ")";
    return reader.query(statement, parameters.params(), [&](const sql::Row& row) -> Result<void> {
      TRY(const auto decoded, codec.decode(text_of(row.blob(1))));
      return points(row.integer(0), decoded);
    });
  });
}

Result<void> insert_chunk(sql::Txn& txn, PointCodec& codec, SeriesNumber series,
                          std::span<const Point> points) {
  ChunkColumns columns = columns_of(codec, series, points);
  columns.params.emplace_back(std::as_bytes(std::span(columns.data)));
  return txn.write(R"(
      INSERT INTO metric_chunks (series, last_timestamp_ms, last_step, last_value, last_is_nan,
                                 points, step_min, step_max, is_step_sorted, data)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))",
                   columns.params);
}

Result<void> replace_chunk(sql::Txn& txn, PointCodec& codec, std::int64_t number,
                           std::span<const Point> points) {
  ChunkColumns columns = columns_of(codec, number, points);
  columns.params.emplace_back(std::as_bytes(std::span(columns.data)));
  return txn.write(R"(
      UPDATE metric_chunks SET last_timestamp_ms = $2, last_step = $3, last_value = $4,
        last_is_nan = $5, points = $6, step_min = $7, step_max = $8, is_step_sorted = $9, data = $10
      WHERE chunk = $1)",
                   columns.params);
}

namespace {

// A sorted sequence that is read in pieces.
class Pieces {
 public:
  // Reads what follows the last point of the piece before; empty at the end.
  using Next = std::function<Result<std::vector<Point>>()>;
  explicit Pieces(Next next) : next_(std::move(next)) {}

  // To be called before peek.
  Result<void> fill() {
    if (at_ < piece_.size() || is_at_end_) return {};
    TRY(piece_, next_());
    at_ = 0;
    is_at_end_ = piece_.empty();
    return {};
  }
  const Point* peek() const { return is_at_end_ ? nullptr : &piece_[at_]; }
  void pop() { ++at_; }

 private:
  Next next_;
  std::vector<Point> piece_;
  std::size_t at_ = 0;
  bool is_at_end_ = false;
};

// The rows of a series, page by page.
class RowPages {
 public:
  RowPages(sql::Reader& reader, SeriesNumber series, const Point* after, StepRange steps)
      : reader_(reader), series_(series), steps_(steps) {
    if (after != nullptr) after_ = *after;
  }

  Result<std::vector<Point>> next() {
    if (is_at_end_) return std::vector<Point>();
    TRY(auto page, rows_behind(reader_, series_, after_ ? &*after_ : nullptr, steps_, kRowsAtOnce));
    is_at_end_ = std::ssize(page) < kRowsAtOnce;
    if (!page.empty()) after_ = page.back();
    return page;
  }

 private:
  sql::Reader& reader_;
  SeriesNumber series_;
  StepRange steps_;
  std::optional<Point> after_;
  bool is_at_end_ = false;
};

// The points of the chunks of a series, chunk by chunk.
class ChunkPages {
 public:
  ChunkPages(sql::Reader& reader, SeriesNumber series, const Point* after, StepRange steps)
      : reader_(reader), series_(series), steps_(steps) {
    if (after != nullptr) after_ = *after;
  }

  Result<std::vector<Point>> next() {
    while (true) {
      if (at_ == chunks_.size()) TRY(read());
      if (chunks_.empty()) return std::vector<Point>();
      TRY(auto points, codec_.decode(chunks_[at_++].data));
      std::erase_if(points, [&](const Point& point) {
        return !steps_.has(point.step) || (begin_ && !(*begin_ < point));
      });
      begin_.reset();
      if (!points.empty()) return points;
    }
  }

 private:
  Result<void> read() {
    at_ = 0;
    if (is_at_end_) {
      chunks_.clear();
      return {};
    }
    if (chunks_.empty()) begin_ = after_;
    TRY(chunks_,
        chunks_behind(reader_, series_, after_ ? &*after_ : nullptr, steps_, kChunksAtOnce));
    is_at_end_ = std::ssize(chunks_) < kChunksAtOnce;
    if (!chunks_.empty()) after_ = chunks_.back().row.last;
    return {};
  }

  sql::Reader& reader_;
  SeriesNumber series_;
  StepRange steps_;
  std::optional<Point> after_;
  PointCodec codec_;
  std::optional<Point> begin_;  // where the first chunk is entered
  std::vector<Chunk> chunks_;
  std::size_t at_ = 0;
  bool is_at_end_ = false;
};

}  // namespace

Result<void> each_point(sql::Reader& reader, SeriesNumber series, const Point* after,
                        StepRange steps, const std::function<Result<bool>(const Point&)>& point) {
  RowPages row_pages(reader, series, after, steps);
  ChunkPages chunk_pages(reader, series, after, steps);
  Pieces rows([&] { return row_pages.next(); });
  Pieces chunks([&] { return chunk_pages.next(); });
  while (true) {
    TRY(rows.fill());
    TRY(chunks.fill());
    const Point* row = rows.peek();
    const Point* packed = chunks.peek();
    if (row == nullptr && packed == nullptr) return {};
    const bool takes_row = packed == nullptr || (row != nullptr && *row < *packed);
    TRY(const bool goes_on, point(takes_row ? *row : *packed));
    if (!goes_on) return {};
    // A row that repeats a point of a chunk goes with it.
    if (!takes_row && row != nullptr && !(*packed < *row)) rows.pop();
    takes_row ? rows.pop() : chunks.pop();
  }
}

}  // namespace ciclo::tracking::store
