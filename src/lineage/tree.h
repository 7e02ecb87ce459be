// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "blob/store.h"
#include "lineage/types.h"

// Directory trees on disk and their description.

namespace ciclo::lineage {

// A path that stays inside the directory it is joined to: relative, UTF-8, at most 1024 bytes, no
// empty,
// "." or ".." part.
Result<void> check_relative_path(std::string_view path);

// The relative paths of all files below the directory, sorted by byte. invalid_argument for what is
// neither file nor directory, resource_exhausted for more than `files_max` files.
Result<std::vector<std::string>> list_files(const std::filesystem::path& directory,
                                            std::size_t files_max);

// Sorts, checks and hashes.
Result<Tree> make_tree(std::vector<File> files);

// Fills a directory that is there already.
Result<void> write_tree(blob::Store& blobs, const Tree& tree,
                        const std::filesystem::path& directory,
                        const std::function<Result<void>()>& before_each);

}  // namespace ciclo::lineage
