// SPDX-License-Identifier: Apache-2.0
#include "lineage/types.h"

#include <algorithm>

namespace ciclo::lineage {

std::uint64_t Tree::size() const {
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file.size;
  return bytes;
}

const File* Tree::find(std::string_view path) const {
  const auto found = std::ranges::lower_bound(files, path, {}, &File::path);
  return found != files.end() && found->path == path ? &*found : nullptr;
}

}  // namespace ciclo::lineage
