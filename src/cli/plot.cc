// SPDX-License-Identifier: Apache-2.0
#include "cli/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string_view>

#include "cli/table.h"

namespace ciclo::cli {
namespace {

constexpr std::array<std::string_view, 8> kMarks = {"●", "○", "■", "□", "▲", "△", "◆", "◇"};
constexpr std::string_view kJoin = "·";
// Okabe and Ito's colours, which the colour-blind tell apart.
constexpr std::array<const char*, 8> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#000000", "#999933"};

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // A flat curve lies in the middle.
  void widen() {
    if (low < high) return;
    const double margin = low == 0 ? 1 : std::abs(low) / 10;
    low -= margin;
    high += margin;
  }
  // 0 at the low end, 1 at the high end. Halves, because the difference may be beyond a double.
  double part(double value) const { return (value / 2 - low / 2) / (high / 2 - low / 2); }
};

struct Extents {
  Extent x;
  Extent y;
};

bool is_finite(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

// nullopt when there is no finite point.
std::optional<Extents> extents_of(const std::vector<Series>& series) {
  Extents extents;
  for (const auto& one : series) {
    for (const auto& point : one.points) {
      if (!is_finite(point)) continue;
      extents.x.take(point.first);
      extents.y.take(point.second);
    }
  }
  if (extents.x.low > extents.x.high) return std::nullopt;
  extents.x.widen();
  extents.y.widen();
  return extents;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// A grid of characters, row 0 at the top.
class Canvas {
 public:
  Canvas(std::size_t width, std::size_t height)
      : cells_(height, std::vector<std::string_view>(width, " ")) {}

  void draw(const Series& series, std::string_view mark, const Extents& extents) {
    std::optional<std::pair<long, long>> before;
    for (const auto& point : series.points) {
      if (!is_finite(point)) continue;
      const std::pair<long, long> at = {place(extents.x.part(point.first), width()),
                                        place(extents.y.part(point.second), height())};
      if (before) join(*before, at);
      before = at;
    }
    for (const auto& point : series.points) {
      if (!is_finite(point)) continue;
      put(place(extents.x.part(point.first), width()),
          place(extents.y.part(point.second), height()), mark);
    }
  }

  std::string line(std::size_t row) const {
    std::string out;
    for (const auto cell : cells_[row]) out += cell;
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
  }

 private:
  long width() const { return static_cast<long>(cells_.front().size()); }
  long height() const { return static_cast<long>(cells_.size()); }
  static long place(double part, long size) {
    return std::clamp(std::lround(part * static_cast<double>(size - 1)), 0L, size - 1);
  }
  void put(long x, long y, std::string_view mark) {
    cells_[static_cast<std::size_t>(height() - 1 - y)][static_cast<std::size_t>(x)] = mark;
  }
  void join(std::pair<long, long> from, std::pair<long, long> to) {
    const long steps =
        std::max(std::labs(to.first - from.first), std::labs(to.second - from.second));
    const auto between = [&](long a, long b, long i) {
      const double part = static_cast<double>(i) / static_cast<double>(steps);
      return a + std::lround(static_cast<double>(b - a) * part);
    };
    for (long i = 1; i < steps; ++i) {
      put(between(from.first, to.first, i), between(from.second, to.second, i), kJoin);
    }
  }

  std::vector<std::vector<std::string_view>> cells_;
};

// The place of a curve within an SVG element, beside the labels of its axes.
class Frame {
 public:
  Frame(const Extents& extents, int width, int height)
      : extents_(extents), width_(width), height_(height) {}

  std::string place(const std::pair<double, double>& point) const {
    const double x = kLeft + extents_.x.part(point.first) * (right() - kLeft);
    return number_text(x, 1) + "," + number_text(y_of(point.second), 1);
  }

  std::string axes() const {
    std::string out;
    for (int i = 0; i <= kLines; ++i) {
      const double part = static_cast<double>(i) / kLines;
      const double y = extents_.y.low * (1 - part) + extents_.y.high * part;
      const std::string at = number_text(y_of(y), 1);
      out += "<line x1=\"" + number_text(kLeft, 1) + "\" x2=\"" + number_text(right(), 1) +
             "\" y1=\"" + at + "\" y2=\"" + at + "\"/>" + label(kLeft - 6, y_of(y) + 4, true, y);
    }
    return out + label(kLeft, height_ - 6, false, extents_.x.low) +
           label(right(), height_ - 6, true, extents_.x.high);
  }

 private:
  static constexpr double kLeft = 64;
  static constexpr double kRight = 12;
  static constexpr double kTop = 10;
  static constexpr double kBottom = 24;
  static constexpr int kLines = 4;

  double right() const { return width_ - kRight; }
  double y_of(double y) const {
    return height_ - kBottom - extents_.y.part(y) * (height_ - kTop - kBottom);
  }
  static std::string label(double x, double y, bool ends_here, double value) {
    return "<text x=\"" + number_text(x, 1) + "\" y=\"" + number_text(y, 1) + "\"" +
           (ends_here ? " text-anchor=\"end\">" : ">") + number(value) + "</text>";
  }

  Extents extents_;
  double width_;
  double height_;
};

std::string padded(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, width_of(text)), ' ') + text;
}

}  // namespace

std::string plot_text(const std::vector<Series>& series, std::size_t width, std::size_t height) {
  const auto extents = extents_of(series);
  if (!extents) return "no finite values\n";
  const std::string top = number(extents->y.high);
  const std::string bottom = number(extents->y.low);
  const std::size_t margin = std::max(top.size(), bottom.size());
  const std::size_t inner = std::max<std::size_t>(16, width - std::min(width, margin + 2));
  Canvas canvas(inner, std::max<std::size_t>(4, height));
  for (std::size_t i = 0; i < series.size(); ++i) {
    canvas.draw(series[i], kMarks[i % kMarks.size()], *extents);
  }
  const std::size_t rows = std::max<std::size_t>(4, height);
  std::string out;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::string label = row == 0 ? top : row + 1 == rows ? bottom : "";
    out += padded(label, margin) + (label.empty() ? " │" : " ┤") + canvas.line(row) + "\n";
  }
  out += std::string(margin, ' ') + " └";
  for (std::size_t i = 0; i < inner; ++i) out += "─";
  const std::string first = number(extents->x.low);
  out += "\n" + std::string(margin + 2, ' ') + first +
         padded(number(extents->x.high), inner - std::min(inner, first.size())) + "\n";
  for (std::size_t i = 0; i < series.size(); ++i) {
    out += std::string(kMarks[i % kMarks.size()]) + " " + series[i].name + "\n";
  }
  return out;
}

const char* series_colour(std::size_t index) { return kColours[index % kColours.size()]; }

std::string plot_svg(const std::vector<Series>& series, int width, int height) {
  const auto extents = extents_of(series);
  if (!extents) return "<p>no finite values</p>";
  const Frame frame(*extents, width, height);
  std::string out = "<svg viewBox=\"0 0 " + std::to_string(width) + " " + std::to_string(height) +
                    "\" role=\"img\">" + frame.axes();
  for (std::size_t i = 0; i < series.size(); ++i) {
    out += "<polyline stroke=\"" + std::string(series_colour(i)) + "\" points=\"";
    for (const auto& point : series[i].points) {
      if (is_finite(point)) out += frame.place(point) + " ";
    }
    out += "\"/>";
  }
  return out + "</svg>";
}

}  // namespace ciclo::cli
