// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

// YAML 1.2 text as a json::Value, in which every value knows its line and column (Value::mark), so
// that later checks can name the place too.
//
// Plain scalars follow the core schema (YAML 1.2.2, §10.3.2): null, booleans, integers, floats;
// anything else, and whatever is quoted or tagged !!str, is a string. So `no` and `on` are strings,
// and a version such as 1.10 must be quoted to stay text. Integers beyond 64 bits become doubles.
// Keys are the text that was written. Refused: keys that are given twice or are no scalar, merge
// keys (<<), tags of types unknown here, several documents in one text, and the characters that
// YAML forbids.

namespace ciclo::yaml {

struct Limits {
  std::size_t bytes_max = 4 << 20;
  std::size_t depth_max = 64;
  // Values in the result, each use of an alias counted with all that it stands for: a small text
  // that would expand to gigabytes is refused.
  std::size_t values_max = 200'000;
};

// How plain scalars are read: by the core schema, or, but for null, as the texts that were written.
// The second is for what a program of YAML 1.1 has written, to which 12345e67 is a text.
enum class Scalars { kCore, kTexts };

// invalid_argument with the message "FILE:LINE:COLUMN: what is wrong"; without a name, the message
// begins "line LINE, column COLUMN: ". An empty text is null.
Result<json::Value> parse(std::string_view text, std::string_view file_name = {},
                          const Limits& limits = {}, Scalars scalars = Scalars::kCore);

// The errors of ciclo::read_file, or of parse() with the path as the file's name.
Result<json::Value> read_file(const std::filesystem::path& path, const Limits& limits = {},
                              Scalars scalars = Scalars::kCore);

}  // namespace ciclo::yaml
