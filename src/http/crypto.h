// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

// Signatures and encryption, by OpenSSL. All functions are safe to share between threads.

namespace ciclo::http {

// HMAC with SHA-256 (RFC 2104, FIPS 180-4): 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

// RFC 4648, with padding.
std::string base64(std::string_view bytes);

// Encrypts small texts under one key, so that whoever reads where they are kept cannot read them
// and whoever changes them is noticed: AES-256-GCM (NIST SP 800-38D) with a random nonce of 96
// bits. A sealed text opens only for the name it was sealed for.
class SealKey {
 public:
  // From 64 hexadecimal digits; invalid_argument for anything else, without repeating it.
  static Result<SealKey> from_hex(std::string_view digits);

  // Lower-case hexadecimal digits.
  Result<std::string> seal(std::string_view text, std::string_view name, Random& random) const;
  // data_loss for what was not sealed with this key for this name, or was changed since.
  Result<std::string> open(std::string_view sealed, std::string_view name) const;

 private:
  explicit SealKey(std::string key) : key_(std::move(key)) {}
  std::string key_;  // 32 bytes
};

}  // namespace ciclo::http
