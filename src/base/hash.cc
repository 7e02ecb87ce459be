// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "base/file.h"

extern "C" {
#include <blake3.h>
}

namespace ciclo {

struct Hasher::State {
  blake3_hasher hasher;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { blake3_hasher_init(&state_->hasher); }
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::update(std::string_view bytes) {
  blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::field(std::string_view bytes) {
  std::array<char, 8> length{};
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<char>((bytes.size() >> (8 * i)) & 0xff);
  }
  update({length.data(), length.size()});
  return update(bytes);
}

std::string Hasher::digest() const {
  std::array<std::uint8_t, BLAKE3_OUT_LEN> bytes{};
  blake3_hasher_finalize(&state_->hasher, bytes.data(), bytes.size());
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string hash_bytes(std::string_view bytes) { return Hasher().update(bytes).digest(); }

Result<std::string> hash_file(const std::filesystem::path& path) {
  Hasher hasher;
  TRY(read_file_in_pieces(path, [&](std::string_view piece) -> Result<void> {
    hasher.update(piece);
    return {};
  }));
  return hasher.digest();
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  // Digests of equal length are compared, so that the lengths tell nothing either.
  const std::string x = hash_bytes(a);
  const std::string y = hash_bytes(b);
  unsigned difference = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference |=
        static_cast<unsigned>(static_cast<unsigned char>(x[i]) ^ static_cast<unsigned char>(y[i]));
  }
  return difference == 0;
}

}  // namespace ciclo
