// SPDX-License-Identifier: Apache-2.0
#include "http/crypto.h"

#include <gtest/gtest.h>

namespace ciclo::http {
namespace {

const std::string kKey(64, 'a');

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    out += two;
  }
  return out;
}

// RFC 4231, cases 2 and 6 (a key longer than a block).
TEST(Crypto, hmac_agrees_with_its_rfc) {
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xAA'),
                            "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// RFC 4648, section 10.
TEST(Crypto, base64_agrees_with_its_rfc) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
}

TEST(Crypto, what_is_sealed_opens_with_its_key_for_its_name_only) {
  SeededRandom random(1);
  const auto key = *SealKey::from_hex(kKey);
  for (const std::string text : {"", "s", "a secret of some length with \xC3\xA4"}) {
    const auto sealed = key.seal(text, "w1", random);
    ASSERT_TRUE(sealed.ok());
    EXPECT_EQ(*key.open(*sealed, "w1"), text);
    EXPECT_NE(*key.seal(text, "w1", random), *sealed);
    EXPECT_EQ(key.open(*sealed, "w2").error().code, Code::kDataLoss);
    const auto other = *SealKey::from_hex(std::string(63, 'a') + "b");
    EXPECT_EQ(other.open(*sealed, "w1").error().code, Code::kDataLoss);
    for (std::size_t at = 0; at < sealed->size(); at += 7) {
      std::string changed = *sealed;
      changed[at] = changed[at] == '0' ? '1' : '0';
      EXPECT_FALSE(key.open(changed, "w1").ok()) << at;
    }
    EXPECT_FALSE(key.open(sealed->substr(2), "w1").ok());
  }
  EXPECT_FALSE(key.open("", "w1").ok());
  EXPECT_FALSE(key.open("xyz", "w1").ok());
}

// Sealed by AESGCM of Python's package cryptography: nonce, text and tag, with the name as
// additional data.
TEST(Crypto, opens_what_another_implementation_sealed) {
  const auto key = *SealKey::from_hex(kKey);
  const auto opened =
      key.open("000102030405060708090a0bf2bdbc989ba23d39138cb373852ae63fad45ec3ac4", "w1");
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(*opened, "hello");
}

TEST(Crypto, a_key_is_64_hexadecimal_digits) {
  for (const auto& digits : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                             std::string(64, 'g'), std::string(32, 'a')}) {
    const auto key = SealKey::from_hex(digits);
    ASSERT_FALSE(key.ok());
    EXPECT_NE(key.error().message.find("64 hexadecimal digits"), std::string::npos);
  }
  EXPECT_TRUE(SealKey::from_hex(std::string(64, 'F')).ok());
}

}  // namespace
}  // namespace ciclo::http
