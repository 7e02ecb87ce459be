// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "sim/pipeline_world.h"

namespace ciclo::sim {
namespace {

constexpr std::int64_t kSeedsPerDisk = 200;

std::vector<std::uint64_t> parse_seeds(std::istream& in) {
  std::vector<std::uint64_t> seeds;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::uint64_t seed = 0;
    while (words >> seed) seeds.push_back(seed);
  }
  return seeds;
}

void play(const std::vector<std::uint64_t>& seeds) {
  std::unique_ptr<Disk> disk;
  int on_disk = 0;
  for (const std::uint64_t seed : seeds) {
    if (!disk || ++on_disk > kSeedsPerDisk) {
      disk = std::make_unique<Disk>();
      on_disk = 0;
    }
    World world(*disk, seed);
    const std::vector<std::string> violations = world.play();
    for (const std::string& violation : violations) {
      ADD_FAILURE() << world.summary() << "\n  " << violation
                    << "\n  again: CICLO_SIM_SEEDS=" << seed
                    << ", then add it to tests/sim/seeds.txt";
    }
    if (std::getenv("CICLO_SIM_VERBOSE") != nullptr) std::cerr << world.summary() << "\n";
    // What is left of a broken world would disturb the next one.
    if (!violations.empty()) disk.reset();
  }
}

TEST(PipelineSimulation, seeds_that_once_failed) {
  std::ifstream file(CICLO_SIM_SEEDS_FILE);
  ASSERT_TRUE(file.is_open());
  play(parse_seeds(file));
}

// CICLO_SIM_COUNT seeds from 1 on, 300 by default.
TEST(PipelineSimulation, keeps_its_promises_under_crashes_and_faults) {
  const char* text = std::getenv("CICLO_SIM_COUNT");
  const std::int64_t count = text == nullptr ? 300 : parse_int(text).value();
  std::vector<std::uint64_t> seeds;
  for (std::int64_t seed = 1; seed <= count; ++seed)
    seeds.push_back(static_cast<std::uint64_t>(seed));
  play(seeds);
}

// Those that CICLO_SIM_SEEDS names.
TEST(PipelineSimulation, further_seeds) {
  const char* text = std::getenv("CICLO_SIM_SEEDS");
  std::istringstream in(text == nullptr ? "" : text);
  play(parse_seeds(in));
}

}  // namespace
}  // namespace ciclo::sim
