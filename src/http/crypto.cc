// SPDX-License-Identifier: Apache-2.0
#include "http/crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "base/check.h"

namespace ciclo::http {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

struct CipherDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, CipherDeleter>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

std::optional<std::string> from_hex_digits(std::string_view digits) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    const int high = value(digits[at]);
    const int low = value(digits[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string nonce_from(Random& random) {
  std::string nonce(16, '\0');
  const std::array<std::uint64_t, 2> bits = {random.next(), random.next()};
  std::memcpy(nonce.data(), bits.data(), nonce.size());
  nonce.resize(kNonceBytes);
  return nonce;
}

}  // namespace

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string digest(32, '\0');
  unsigned int size = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text),
                          text.size(), bytes_of(digest), &size);
  CHECK(done != nullptr);
  CHECK(size == digest.size());
  return digest;
}

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(bytes_of(text), bytes_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

Result<SealKey> SealKey::from_hex(std::string_view digits) {
  auto key = from_hex_digits(digits);
  if (!key || key->size() != kKeyBytes) {
    return invalid_argument("a key must be 64 hexadecimal digits (32 bytes), got " +
                            std::to_string(digits.size()) + " characters");
  }
  return SealKey(std::move(*key));
}

Result<std::string> SealKey::seal(std::string_view text, std::string_view name,
                                  Random& random) const {
  const std::string nonce = nonce_from(random);
  std::string sealed(text.size(), '\0');
  std::string tag(kTagBytes, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done =
      cipher != nullptr &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes_of(std::string_view(key_)),
                         bytes_of(std::string_view(nonce))) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes_of(name),
                        static_cast<int>(name.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), bytes_of(sealed), &size, bytes_of(text),
                        static_cast<int>(text.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), bytes_of(tag), &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes),
                          tag.data()) == 1;
  if (!done) return internal("OpenSSL cannot encrypt with AES-256-GCM");
  return to_hex(nonce + sealed + tag);
}

Result<std::string> SealKey::open(std::string_view sealed, std::string_view name) const {
  const auto bytes = from_hex_digits(sealed);
  if (!bytes || bytes->size() < kNonceBytes + kTagBytes) {
    return data_loss("what is kept for " + std::string(name) + " is no sealed text");
  }
  const std::string_view all = *bytes;
  const std::string_view inside = all.substr(kNonceBytes, all.size() - kNonceBytes - kTagBytes);
  std::string tag(all.substr(all.size() - kTagBytes));
  std::string text(inside.size(), '\0');
  std::string rest(kTagBytes, '\0');
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  const bool done = cipher != nullptr &&
                    EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr,
                                       bytes_of(std::string_view(key_)), bytes_of(all)) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(name),
                                      static_cast<int>(name.size())) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), bytes_of(text), &size, bytes_of(inside),
                                      static_cast<int>(inside.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG,
                                        static_cast<int>(kTagBytes), tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(cipher.get(), bytes_of(rest), &size) == 1;
  if (!done) {
    return data_loss("the sealed text of " + std::string(name) +
                     " was changed, or sealed with another key");
  }
  return text;
}

}  // namespace ciclo::http
