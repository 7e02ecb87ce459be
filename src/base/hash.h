// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

// BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn 2020): the content hash of blobs, data set
// versions and cache keys. Digests are 64 lower-case hexadecimal digits.

namespace ciclo {

// Hashes a stream. Not safe to share between threads.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& update(std::string_view bytes);
  // Adds the length, then the bytes: ("ab","c") and ("a","bc") differ.
  Hasher& field(std::string_view bytes);
  // The digest of all bytes so far; more may follow.
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hash_bytes(std::string_view bytes);

// Reads the file in pieces; not_found when it is not there.
Result<std::string> hash_file(const std::filesystem::path& path);

// Compares without telling by its duration where the texts differ. For secrets.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace ciclo
