// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Signatures of requests to S3: AWS Signature Version 4, "Authenticating Requests (AWS Signature
// Version 4)" in the Amazon S3 API reference. Pure functions of their arguments.

namespace ciclo::blob {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // of temporary credentials; empty otherwise
};

// What is signed. The path is as it is sent, that is encoded already; names and values of the query
// are not encoded. Header names are in lower case, "host" among them.
struct SignedRequest {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
  std::map<std::string, std::string> headers;
};

// The hash that stands for a body which is not signed; what carries it must be TLS.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

// SHA-256 (FIPS 180-4) in lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// A digest of a stream: SHA-256, or MD5 (RFC 1321), which is what S3 checks bodies with. Not safe
// to share between threads.
class Digest {
 public:
  enum class Kind { kSha256, kMd5 };
  explicit Digest(Kind kind);
  ~Digest();
  Digest(Digest&&) noexcept;
  void update(std::string_view bytes);
  // The digest's bytes. Called once, last.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lower-case hexadecimal digits; and RFC 4648, with padding.
std::string to_hex(std::string_view bytes);
std::string to_base64(std::string_view bytes);

// Encodes all but letters, digits and -_.~ ; slashes too unless they are kept.
enum class Slash { kKeep, kEncode };
std::string uri_encode(std::string_view text, Slash slash);

// "a=1&b=x%20y", sorted as the signature wants it. A name without a value gets its "=".
std::string canonical_query(std::vector<std::pair<std::string, std::string>> query);

// Adds x-amz-date, x-amz-content-sha256, the session's token and Authorization to the headers.
void sign(SignedRequest& request, const Credentials& credentials, std::string_view region,
          std::string_view payload_hash, std::int64_t now_ms);

// The query, encoded, of a URL that needs no header but host and is good for `expires_s` seconds,
// at most 604,800.
std::string presigned_query(SignedRequest request, const Credentials& credentials,
                            std::string_view region, std::int64_t now_ms, std::int64_t expires_s);

}  // namespace ciclo::blob
