// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <gtest/gtest.h>

namespace ciclo::cli {
namespace {

Table models() {
  Table table({"model", "source", "version"});
  table.add({"flights", "a very long name of a source", "3"});
  table.add({"größe", "short", "12"});
  return table;
}

TEST(Table, is_as_wide_as_its_cells_and_numbers_stand_to_the_right) {
  EXPECT_EQ(models().text(),
            "model    source                        version\n"
            "───────  ────────────────────────────  ───────\n"
            "flights  a very long name of a source        3\n"
            "größe    short                              12\n");
}

TEST(Table, cuts_the_widest_texts_to_fit_but_no_number) {
  EXPECT_EQ(models().text(30),
            "model    source        version\n"
            "───────  ────────────  ───────\n"
            "flights  a very long…        3\n"
            "größe    short              12\n");
}

TEST(Table, a_width_that_nothing_fits_leaves_columns_that_can_be_read) {
  const std::string text = models().text(5);
  EXPECT_NE(text.find("flights  a very …        3\n"), std::string::npos) << text;
}

TEST(Table, what_would_command_the_terminal_shows_as_blanks) {
  Table table({"name"});
  table.add({"a\x1b[31m\nb"});
  EXPECT_EQ(table.text(), "name\n────────\na [31m b\n");
}

}  // namespace
}  // namespace ciclo::cli
