// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ciclo::cli {

// The curve of one run.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x, y; those that are not finite are left out
};

// A chart of text for a terminal: a frame of `width` × `height` characters with the extent of both
// axes, each series as marks of its own joined by dots where it is steep, and a legend. Where
// curves meet, the later one is seen. With no finite point it is one line that says so.
std::string plot_text(const std::vector<Series>& series, std::size_t width, std::size_t height);

// The same as an SVG element of `width` × `height` pixels with grid lines, without a legend; curve
// i has the colour series_colour(i).
std::string plot_svg(const std::vector<Series>& series, int width, int height);
const char* series_colour(std::size_t number);

}  // namespace ciclo::cli
