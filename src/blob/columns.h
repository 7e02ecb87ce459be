// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// Where a module's tables name stored values. Each module that names some answers
// `blob_columns()`; the collector of values reads them all, and keeps what they name.

namespace ciclo::blob {

// A column of text. Every run of exactly 64 lower-case hexadecimal digits in it counts as the hash
// of a value that its row needs: a hash by itself, or one inside JSON.
struct Column {
  std::string_view table;
  std::string_view column;
};

}  // namespace ciclo::blob
