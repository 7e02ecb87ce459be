// SPDX-License-Identifier: Apache-2.0
#include "http/codec.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace ciclo::http {
namespace {

Result<std::string> decode(Coding coding, std::string_view bytes, std::size_t step) {
  std::string out;
  auto decoder = Decoder::create(coding);
  for (std::size_t i = 0; i < bytes.size(); i += step) {
    TRY(decoder->feed(bytes.substr(i, step), [&](std::string_view piece) -> Result<void> {
      out += piece;
      return {};
    }));
  }
  TRY(decoder->finish());
  return out;
}

std::string sample() {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 1000) + ",";
  return text;
}

class CodecTest : public testing::TestWithParam<Coding> {};

TEST_P(CodecTest, what_is_encoded_decodes_to_itself_in_pieces_of_any_size) {
  const std::string text = sample();
  const std::string encoded = encode(GetParam(), text);
  EXPECT_LT(encoded.size(), text.size());
  for (const std::size_t step : {1UL, 7UL, 4096UL, 1UL << 20}) {
    const auto decoded = decode(GetParam(), encoded, step);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_TRUE(*decoded == text);
  }
}

TEST_P(CodecTest, an_empty_text_survives) {
  const auto decoded = decode(GetParam(), encode(GetParam(), ""), 1);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, "");
}

TEST_P(CodecTest, broken_and_cut_off_bytes_are_errors) {
  const std::string encoded = encode(GetParam(), sample());
  EXPECT_EQ(decode(GetParam(), encoded.substr(0, encoded.size() / 2), 100).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(decode(GetParam(), "\x01not encoded at all", 100).error().code, Code::kInvalidArgument);
}

TEST_P(CodecTest, a_flush_makes_all_bytes_so_far_readable) {
  auto encoder = Encoder::create(GetParam());
  auto decoder = Decoder::create(GetParam());
  for (const auto* text : {"first", "second"}) {
    std::string encoded;
    encoder->write(text, Encoder::Flush::kAll, encoded);
    std::string out;
    ASSERT_TRUE(decoder
                    ->feed(encoded,
                           [&](std::string_view piece) -> Result<void> {
                             out += piece;
                             return {};
                           })
                    .ok());
    EXPECT_EQ(out, text);
  }
}

INSTANTIATE_TEST_SUITE_P(Codings, CodecTest,
                         testing::Values(Coding::kGzip, Coding::kDeflate, Coding::kZstd),
                         [](const auto& suite) { return std::string(coding_name(suite.param)); });

TEST(Codec, gzip_members_follow_one_another) {
  const auto decoded =
      decode(Coding::kGzip, encode(Coding::kGzip, "a") + encode(Coding::kGzip, "b"), 3);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, "ab");
}

TEST(Codec, deflate_is_read_without_its_zlib_header_too) {
  const std::string whole = encode(Coding::kDeflate, sample());
  // Two bytes of header, four of checksum.
  const auto decoded = decode(Coding::kDeflate, whole.substr(2, whole.size() - 6), 1000);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_TRUE(*decoded == sample());
}

TEST(Codec, an_error_of_the_reader_ends_the_decoding) {
  auto decoder = Decoder::create(Coding::kGzip);
  const auto fed =
      decoder->feed(encode(Coding::kGzip, std::string(1 << 20, '0')),
                    [](std::string_view) -> Result<void> { return resource_exhausted("x"); });
  EXPECT_EQ(fed.error().code, Code::kResourceExhausted);
}

TEST(Codec, the_heaviest_accepted_coding_is_chosen) {
  EXPECT_EQ(accepted_coding(""), Coding::kIdentity);
  EXPECT_EQ(accepted_coding("gzip, deflate, br"), Coding::kGzip);
  EXPECT_EQ(accepted_coding("gzip, deflate, br, zstd"), Coding::kZstd);
  EXPECT_EQ(accepted_coding("gzip;q=1.0, zstd;q=0.5"), Coding::kGzip);
  EXPECT_EQ(accepted_coding("zstd;q=0, gzip ; q=0.1"), Coding::kGzip);
  EXPECT_EQ(accepted_coding("*"), Coding::kZstd);
  EXPECT_EQ(accepted_coding("identity, *;q=0"), Coding::kIdentity);
  EXPECT_EQ(accepted_coding("br;q=x,,;"), Coding::kIdentity);
}

TEST(Codec, text_is_compressible_and_events_are_not) {
  EXPECT_TRUE(is_compressible("application/json; charset=utf-8"));
  EXPECT_TRUE(is_compressible("TEXT/html"));
  EXPECT_TRUE(is_compressible("application/problem+json"));
  EXPECT_FALSE(is_compressible("text/event-stream"));
  EXPECT_FALSE(is_compressible("application/octet-stream"));
  EXPECT_FALSE(is_compressible(""));
}

}  // namespace
}  // namespace ciclo::http
