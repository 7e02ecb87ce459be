// SPDX-License-Identifier: Apache-2.0
#include "migrate/sorted_points.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <queue>
#include <string>
#include <tuple>

#include "tracking/store.h"

namespace ciclo::migrate {

namespace {

using Point = SortedPoints::Point;

std::string file_name(std::size_t number) { return "points-" + std::to_string(number); }

// One of the sorted files, from its beginning.
class Spilled {
 public:
  explicit Spilled(const std::filesystem::path& path) : path_(path), in_(path, std::ios::binary) {}

  // nullopt at the end.
  Result<std::optional<Point>> next() {
    Point point;
    if (in_.read(reinterpret_cast<char*>(&point), sizeof point)) return std::optional(point);
    if (in_.eof() && in_.gcount() == 0) return std::optional<Point>();
    return file_error("read", path_, errno);
  }

 private:
  std::filesystem::path path_;
  std::ifstream in_;
};

void sort_once(std::vector<Point>& points) {
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
}

}  // namespace

bool operator<(const Point& a, const Point& b) {
  return std::tie(a.timestamp_ms, a.step, a.is_nan, a.value) <
         std::tie(b.timestamp_ms, b.step, b.is_nan, b.value);
}

Result<void> SortedPoints::add(double value, std::int64_t timestamp_ms, std::int64_t step) {
  const auto kept = tracking::store::stored(value);
  points_.push_back({timestamp_ms, step, kept.value, kept.is_nan != 0});
  if (points_.size() < held_max_) return {};
  return spill();
}

Result<void> SortedPoints::spill() {
  if (!folder_) folder_ = std::make_unique<TemporaryDirectory>();
  sort_once(points_);
  const auto path = folder_->path() / file_name(spilled_++);
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(points_.data()),
            static_cast<std::streamsize>(points_.size() * sizeof(Point)));
  out.close();
  if (!out) return file_error("write", path, errno);
  points_.clear();
  return {};
}

Result<void> SortedPoints::each(const std::function<Result<void>(const Point&)>& use) {
  if (spilled_ > 0) {
    TRY(spill());
    return merge(use);
  }
  sort_once(points_);
  for (const auto& point : points_) TRY(use(point));
  return {};
}

Result<void> SortedPoints::merge(const std::function<Result<void>(const Point&)>& use) {
  using Head = std::pair<Point, std::size_t>;  // the next point of a file, and which
  const auto is_later = [](const Head& a, const Head& b) { return b.first < a.first; };
  std::priority_queue<Head, std::vector<Head>, decltype(is_later)> heads(is_later);
  std::vector<std::unique_ptr<Spilled>> files;
  const auto advance = [&](std::size_t number) -> Result<void> {
    TRY(const auto point, files[number]->next());
    if (point) heads.emplace(*point, number);
    return {};
  };
  for (std::size_t i = 0; i < spilled_; ++i) {
    files.push_back(std::make_unique<Spilled>(folder_->path() / file_name(i)));
    TRY(advance(i));
  }
  std::optional<Point> last;
  while (!heads.empty()) {
    const auto [point, number] = heads.top();
    heads.pop();
    if (point != last) TRY(use(point));
    last = point;
    TRY(advance(number));
  }
  return {};
}

}  // namespace ciclo::migrate
