// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "blob/columns.h"
#include "blob/store.h"
#include "retention/types.h"
#include "sql/database.h"
#include "tracking/artifacts.h"

// Values that no row names: found by listing the store, then reading all that names values, and
// removed as blob/store.h demands.

namespace ciclo::retention {

// Of all modules.
std::vector<blob::Column> all_blob_columns();

// Calls `on_hash` for every run of exactly 64 lower-case hexadecimal digits in the text.
void find_hashes(std::string_view text, const std::function<void(std::string_view)>& on_hash);

// The values of a store at a moment, and which of them are needed. 56 bytes for each value. Used
// by one thread.
class StoredValues {
 public:
  static Result<StoredValues> list(blob::Store& store);

  // Marks what the rows of one snapshot name, as if the files in `without` were gone.
  Result<void> mark(sql::Reader& reader, const tracking::ArtifactFolders& without);

  // Not marked: touched before `before_ms`, and since then.
  Amount unneeded(std::int64_t before_ms) const;
  Amount waiting(std::int64_t before_ms) const;

  // Removes from the store what `unneeded` counts, but for what is touched meanwhile.
  Result<Amount> remove(blob::Store& store, std::int64_t before_ms, std::stop_token stop,
                        const std::function<void(const Progress&)>& on_progress) const;

 private:
  struct Value {
    std::array<std::uint8_t, 32> hash;
    std::uint64_t size = 0;
    std::int64_t touched_ms = 0;
    bool is_needed = false;
  };
  Value* find(std::string_view hash);

  std::vector<Value> values_;  // by hash
};

}  // namespace ciclo::retention
