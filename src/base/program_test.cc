// SPDX-License-Identifier: Apache-2.0
#include "base/program.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace ciclo {
namespace {

TEST(Program, build_is_the_one_that_the_linker_wrote_into_the_file) {
  const std::string build = program_build();
  ASSERT_EQ(build.size(), 40U);  // SHA-1
  std::string bytes;
  for (std::size_t i = 0; i < build.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(build.substr(i, 2), nullptr, 16));
  }
  const auto file = read_file("/proc/self/exe");
  ASSERT_TRUE(file.ok());
  EXPECT_NE(file->find(std::string("GNU\0", 4) + bytes), std::string::npos);
  EXPECT_EQ(program_build(), build);
}

}  // namespace
}  // namespace ciclo
