// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/file.h"
#include "train/package.h"

namespace {

// Record separators part the files of a package, in this order.
constexpr std::array kFiles = {"package.json", "transform.json", "statistics.json", "lineage.json",
                               "model.json"};

void write_files(std::string_view text, const std::filesystem::path& directory) {
  for (const char* name : kFiles) {
    const std::size_t end = std::min(text.find('\x1e'), text.size());
    std::ofstream(directory / name, std::ios::binary) << text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

// A package that somebody else has written loads and predicts its own example, or is refused. The
// formats of the libraries of trees are theirs to check, so only linear models come here.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find("boost") != std::string_view::npos || text.find("gbm") != std::string_view::npos) {
    return 0;
  }
  static const ciclo::TemporaryDirectory directory;
  write_files(text, directory.path());
  const auto package = ciclo::train::Package::load(directory.path());
  if (!package.ok()) {
    CHECK(!package.error().message.empty());
    return 0;
  }
  const auto& example = package->example();
  const auto predicted = package->predict(example);
  CHECK(predicted.ok());
  CHECK(predicted->rows == example.rows());
  CHECK(predicted->outputs == package->signature().outputs.size());
  return 0;
}
