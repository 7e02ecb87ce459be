// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace ciclo {
namespace {

// The input of the official BLAKE3 test vectors: bytes 0, 1, … 250, repeated.
std::string vector_input(std::size_t length) {
  std::string input(length, '\0');
  for (std::size_t i = 0; i < length; ++i) input[i] = static_cast<char>(i % 251);
  return input;
}

TEST(Hash, agrees_with_the_official_vectors) {
  EXPECT_EQ(hash_bytes(""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(hash_bytes(vector_input(1)),
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
  EXPECT_EQ(hash_bytes(vector_input(1025)),
            "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444");
}

TEST(Hash, a_stream_hashes_as_its_whole_and_may_go_on_after_a_digest) {
  Hasher hasher;
  hasher.update("ab");
  EXPECT_EQ(hasher.digest(), hash_bytes("ab"));
  hasher.update("c");
  EXPECT_EQ(hasher.digest(), hash_bytes("abc"));
}

TEST(Hash, fields_keep_their_borders) {
  EXPECT_NE(Hasher().field("ab").field("c").digest(), Hasher().field("a").field("bc").digest());
}

TEST(Hash, a_file_hashes_as_its_bytes) {
  const TemporaryDirectory directory;
  const std::string content = vector_input(600'000);
  ASSERT_TRUE(write_file_durably(directory.path() / "f", content).ok());
  EXPECT_EQ(*hash_file(directory.path() / "f"), hash_bytes(content));
  EXPECT_EQ(hash_file(directory.path() / "none").error().code, Code::kNotFound);
}

TEST(Hash, constant_time_comparison_compares) {
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_constant_time("secret", "secre"));
}

}  // namespace
}  // namespace ciclo
