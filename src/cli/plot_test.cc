// SPDX-License-Identifier: Apache-2.0
#include "cli/plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ciclo::cli {
namespace {

TEST(Plot, shows_the_curve_between_its_extents) {
  const std::string text = plot_text({{"loss", {{0, 1}, {1, 0.5}, {2, 0}}}}, 25, 5);
  EXPECT_EQ(text,
            "1 ┤●··\n"
            "  │   ······\n"
            "  │         ··●··\n"
            "  │              ·····\n"
            "0 ┤                   ··●\n"
            "  └──────────────────────\n"
            "   0                    2\n"
            "● loss\n");
}

TEST(Plot, each_series_has_marks_of_its_own) {
  const std::string text = plot_text({{"a", {{0, 0}, {1, 1}}}, {"b", {{0, 1}, {1, 0}}}}, 30, 6);
  EXPECT_NE(text.find("1 ┤○"), std::string::npos) << text;
  EXPECT_NE(text.find("0 ┤●"), std::string::npos) << text;
  EXPECT_NE(text.find("● a\n○ b\n"), std::string::npos) << text;
}

TEST(Plot, what_is_not_finite_is_left_out) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<Series> odd = {{"m", {{0, std::nan("")}, {1, 3}, {2, infinity}}}};
  const std::string text = plot_text(odd, 30, 4);
  EXPECT_NE(text.find("3.3 ┤"), std::string::npos) << text;
  EXPECT_NE(text.find("2.7 ┤"), std::string::npos) << text;
  EXPECT_EQ(plot_text({{"m", {{0, std::nan("")}}}}, 30, 4), "no finite values\n");
  EXPECT_EQ(plot_svg({}, 100, 50), "<p>no finite values</p>");
}

TEST(Plot, the_largest_doubles_fit) {
  const double huge = std::numeric_limits<double>::max();
  const std::vector<Series> extreme = {{"m", {{0, -huge}, {1, 0}, {2, huge}}}};
  EXPECT_NE(plot_text(extreme, 30, 5).find("1.798e+308 ┤"), std::string::npos);
  const std::string svg = plot_svg(extreme, 400, 200);
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  EXPECT_NE(svg.find("points=\"64.0,176.0 226.0,93.0 388.0,10.0 \""), std::string::npos) << svg;
}

}  // namespace
}  // namespace ciclo::cli
