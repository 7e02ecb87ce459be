// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

#include "tracking/store.h"
#include "tracking/store_points.h"

namespace ciclo::tracking::store {

namespace {

// A series is folded when so many rows have come since the last time. More make a fold rarer and
// the reading of rows slower.
constexpr std::int64_t kUnfoldedMax = 512;
// So many points of one batch are folded at once: cheaper than as many rows.
constexpr std::size_t kFoldedAtOnceMin = 64;
// What one fold does at most, however the points are mixed; the next one goes on.
constexpr std::int64_t kFoldedRowsMax = 4'096;
constexpr int kFoldedChunksMax = 8;
// A full enough last chunk is left alone when so many points follow it.
constexpr std::size_t kOwnChunkPointsMin = kChunkPointsMax / 4;
constexpr std::int64_t kFullChunkPointsMin = kChunkPointsMax * 3 / 4;

// Orders the points of a series by what makes the latest: (step, timestamp, value).
bool is_later(const Point& a, const Point& b) {
  return std::tie(a.step, a.timestamp_ms, a.value) > std::tie(b.step, b.timestamp_ms, b.value);
}

// A key of the batch: its points, the latest among them, and its series in the database.
struct Series {
  std::vector<Point> points;
  Point latest;
  SeriesNumber number = 0;
  bool is_known = false;  // was there before this transaction
  bool must_update = false;
  std::int64_t unfolded = 0;
  std::int64_t fold_from_ms = 0;

  bool must_fold() const {
    return points.size() >= kFoldedAtOnceMin || unfolded + std::ssize(points) >= kUnfoldedMax;
  }
};

using SeriesByKey = std::map<std::string_view, Series>;

SeriesByKey group_by_key(std::span<const Metric> metrics) {
  SeriesByKey by_key;
  for (const auto& metric : metrics) {
    Series& series = by_key[metric.key];
    const Point point = point_of(metric);
    if (series.points.empty() || is_later(point, series.latest)) series.latest = point;
    series.points.push_back(point);
  }
  return by_key;
}

constexpr std::string_view kSeriesColumns =
    "key, series, step, timestamp_ms, value, unfolded, fold_from_ms";

void take_series(SeriesByKey& by_key, const sql::Row& row) {
  const auto found = by_key.find(row.text(0));
  if (found == by_key.end()) return;
  Series& series = found->second;
  series.number = row.integer(1);
  series.must_update = is_later(series.latest, {row.integer(3), row.integer(2), row.number(4)});
  series.unfolded = row.integer(5);
  series.fold_from_ms = row.integer(6);
}

// With many keys it is cheaper to read all series of the run than to name them.
Result<void> find_known_series(sql::Txn& txn, Number run, SeriesByKey& by_key) {
  constexpr std::size_t kNamedMax = 16;
  std::string statement =
      "SELECT " + std::string(kSeriesColumns) + " FROM metric_series WHERE run_number = $1";
  sql::Params params = {run};
  if (by_key.size() <= kNamedMax) {
    std::string list;
    for (const auto& [key, series] : by_key) {
      params.emplace_back(key);
      list += (list.empty() ? "$" : ", $") + std::to_string(params.size());
    }
    statement += " AND key IN (" + list + ")";
  }
  TRY(txn.query(statement, params, [&](const sql::Row& row) -> Result<void> {
    take_series(by_key, row);
    return {};
  }));
  for (auto& [key, series] : by_key) series.is_known = series.number != 0;
  return {};
}

// A concurrent transaction may have made the series since we looked; then its latest point decides.
Result<void> insert_missing_series(sql::Txn& txn, const RunRow& run, SeriesByKey& by_key) {
  const std::string statement = R"(
      INSERT INTO metric_series (run_number, key, step, timestamp_ms, value, is_nan, experiment_id)
      VALUES ($1, $2, $3, $4, $5, $6, $7)
      ON CONFLICT (run_number, key) DO UPDATE SET key = excluded.key
      RETURNING )" + std::string(kSeriesColumns);
  for (auto& [key, series] : by_key) {
    if (series.is_known) continue;
    const Point& latest = series.latest;
    TRY(txn.query(statement,
                  {run.number, key, latest.step, latest.timestamp_ms, latest.value,
                   sql::param(latest.is_nan), run.experiment},
                  [&](const sql::Row& row) -> Result<void> {
                    take_series(by_key, row);
                    return {};
                  }));
  }
  return {};
}

// Touches the row of each series, also where nothing in it changes, so that of two transactions
// with points of one series the second sees what the first has folded, or starts again.
Result<void> update_series(sql::Txn& txn, const SeriesByKey& by_key) {
  std::vector<sql::Params> later;
  std::vector<sql::Params> others;
  for (const auto& [key, series] : by_key) {
    const std::int64_t added = series.must_fold() ? 0 : std::ssize(series.points);
    const Point& latest = series.latest;
    if (series.must_update) {
      later.push_back({series.number, latest.step, latest.timestamp_ms, latest.value,
                       sql::param(latest.is_nan), added});
    } else if (series.is_known) {
      others.push_back({series.number, added});
    }
  }
  if (!later.empty()) {
    TRY(txn.write_many(R"(
        UPDATE metric_series SET step = $2, timestamp_ms = $3, value = $4, is_nan = $5,
          unfolded = unfolded + $6
        WHERE series = $1 AND (step, timestamp_ms, value) < ($2, $3, $4))",
                       later));
  }
  return txn.write_many("UPDATE metric_series SET unfolded = unfolded + $2 WHERE series = $1",
                        others);
}

// Into pieces for chunks: full ones where the series grows, else of one size, with room in each.
std::vector<std::span<const Point>> cut(std::span<const Point> points, bool is_growing) {
  const std::size_t pieces = (points.size() + kChunkPointsMax - 1) / kChunkPointsMax;
  const std::size_t size = is_growing ? kChunkPointsMax : (points.size() + pieces - 1) / pieces;
  std::vector<std::span<const Point>> out;
  while (!points.empty()) {
    out.push_back(points.first(std::min(size, points.size())));
    points = points.subspan(out.back().size());
  }
  return out;
}

// Puts sorted points, the rows of a series together with those of a batch, into its chunks. A chunk
// owns what lies behind the chunk before it, the last one also what lies behind itself.
class Fold {
 public:
  Fold(sql::Txn& txn, PointCodec& codec, SeriesNumber series)
      : txn_(txn), codec_(codec), series_(series) {}

  // How many of the points, from the first on, are in chunks now: all, unless they fall into more
  // chunks than one fold may write.
  Result<std::size_t> take(std::span<const Point> points) {
    std::size_t taken = 0;
    for (int chunks = 0; taken < points.size() && chunks < kFoldedChunksMax; ++chunks) {
      TRY(const std::size_t more, take_group(points.subspan(taken)));
      taken += more;
    }
    return taken;
  }

 private:
  // Those that the owner of the first one owns.
  Result<std::size_t> take_group(std::span<const Point> points) {
    TRY(auto last, last_chunk(txn_, series_));
    if (!last || last->row.last < points.front()) {
      TRY(append(last, points));
      return points.size();
    }
    TRY(const auto owner, chunk_ending_at(txn_, series_, points.front()));
    if (!owner) return internal("a series has a last chunk and none that ends at or behind it");
    const bool is_growing = owner->row.number == last->row.number;
    const auto end =
        is_growing ? points.end() : std::upper_bound(points.begin(), points.end(), owner->row.last);
    const auto group = points.first(static_cast<std::size_t>(end - points.begin()));
    TRY(merge(*owner, group, is_growing));
    return group.size();
  }

  // Points that lie behind all chunks.
  Result<void> append(const std::optional<Chunk>& last, std::span<const Point> points) {
    const bool stands_alone =
        !last || (last->row.points >= kFullChunkPointsMin && points.size() >= kOwnChunkPointsMin);
    if (!stands_alone) return merge(*last, points, true);
    for (const auto piece : cut(points, true)) TRY(insert_chunk(txn_, codec_, series_, piece));
    return {};
  }

  Result<void> merge(const Chunk& chunk, std::span<const Point> points, bool is_growing) {
    TRY(const auto known, codec_.decode(chunk.data));
    std::vector<Point> all;
    all.reserve(known.size() + points.size());
    std::set_union(known.begin(), known.end(), points.begin(), points.end(),
                   std::back_inserter(all));
    if (std::ssize(all) == chunk.row.points) return {};
    bool is_first = true;
    // The chunk is replaced by its first piece, and only then the others come in behind it: no two
    // chunks end at one point, not even for a moment.
    for (const auto piece : cut(all, is_growing)) {
      TRY(std::exchange(is_first, false) ? replace_chunk(txn_, codec_, chunk.row.number, piece)
                                         : insert_chunk(txn_, codec_, series_, piece));
    }
    return {};
  }

  sql::Txn& txn_;
  PointCodec& codec_;
  SeriesNumber series_;
};

// The points that a fold takes: rows from a time on, and those of the batch that lie there.
struct Foldable {
  std::vector<Point> rows;
  std::vector<Point> points;  // rows and batch, sorted, each once
  bool has_all_rows = false;
};

Result<Foldable> foldable_from(sql::Txn& txn, const Series& series, std::int64_t from_ms) {
  Foldable out;
  TRY(out.rows, rows_from(txn, series.number, from_ms, kFoldedRowsMax));
  out.has_all_rows = std::ssize(out.rows) < kFoldedRowsMax;
  const auto first =
      std::partition_point(series.points.begin(), series.points.end(),
                           [&](const Point& point) { return point.timestamp_ms < from_ms; });
  std::set_union(out.rows.begin(), out.rows.end(), first, series.points.end(),
                 std::back_inserter(out.points));
  return out;
}

// Where the next fold begins: at what this one left, so that each row has its turn.
std::int64_t next_fold_from(const Foldable& foldable, std::size_t taken) {
  if (taken < foldable.points.size()) return foldable.points[taken].timestamp_ms;
  return foldable.has_all_rows ? 0 : foldable.rows.back().timestamp_ms;
}

Result<void> fold(sql::Txn& txn, PointCodec& codec, Series& series) {
  auto& batch = series.points;
  std::sort(batch.begin(), batch.end());
  batch.erase(std::unique(batch.begin(), batch.end()), batch.end());
  TRY(auto foldable, foldable_from(txn, series, series.fold_from_ms));
  if (foldable.points.empty()) {
    TRY(foldable, foldable_from(txn, series, 0));
  }
  const std::vector<Point>& points = foldable.points;
  TRY(const std::size_t taken, Fold(txn, codec, series.number).take(points));
  const Point& first = points.front();
  const Point& last = points[taken - 1];
  // Rows behind those that were read stay, though points of the batch may lie behind them.
  if (!foldable.rows.empty() && !(last < foldable.rows.front())) {
    TRY(delete_rows(txn, series.number, first, std::min(last, foldable.rows.back())));
  }
  std::erase_if(batch, [&](const Point& point) { return !(point < first) && !(last < point); });
  const std::int64_t fold_from_ms = next_fold_from(foldable, taken);
  if (series.unfolded == 0 && series.fold_from_ms == fold_from_ms) return {};
  return txn.write("UPDATE metric_series SET unfolded = 0, fold_from_ms = $2 WHERE series = $1",
                   {series.number, fold_from_ms});
}

}  // namespace

Result<void> append_metrics(sql::Txn& txn, const RunRow& run, std::span<const Metric> metrics) {
  if (metrics.empty()) return {};
  SeriesByKey by_key = group_by_key(metrics);
  TRY(find_known_series(txn, run.number, by_key));
  TRY(insert_missing_series(txn, run, by_key));
  TRY(update_series(txn, by_key));
  PointCodec codec;
  std::vector<sql::Params> rows;
  rows.reserve(metrics.size());
  for (auto& [key, series] : by_key) {
    if (series.must_fold()) TRY(fold(txn, codec, series));
    for (const auto& point : series.points) rows.push_back(row_of(series.number, point));
  }
  return insert_rows(txn, rows);
}

}  // namespace ciclo::tracking::store
