// SPDX-License-Identifier: Apache-2.0
#include "blob/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/check.h"

namespace ciclo::blob {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
  std::array<unsigned char, 32> out{};
  unsigned int length = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(),
             &length) != nullptr);
  return {reinterpret_cast<const char*>(out.data()), length};
}

// "20130524T000000Z"; its first eight characters are the date.
std::string timestamp(std::int64_t now_ms) {
  const std::time_t seconds = static_cast<std::time_t>(now_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), length};
}

std::string scope_of(std::string_view time, std::string_view region) {
  return std::string(time.substr(0, 8)) + "/" + std::string(region) + "/s3/aws4_request";
}

std::string header_names(const SignedRequest& request) {
  std::string names;
  for (const auto& [name, value] : request.headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string canonical_request(const SignedRequest& request, std::string_view payload_hash) {
  std::string text = request.method + "\n" + request.path + "\n" + canonical_query(request.query);
  text += "\n";
  for (const auto& [name, value] : request.headers) text += name + ":" + value + "\n";
  return text + "\n" + header_names(request) + "\n" + std::string(payload_hash);
}

std::string signature(const SignedRequest& request, std::string_view secret,
                      std::string_view region, std::string_view payload_hash,
                      std::string_view time) {
  const std::string to_sign = std::string(kAlgorithm) + "\n" + std::string(time) + "\n" +
                              scope_of(time, region) + "\n" +
                              sha256_hex(canonical_request(request, payload_hash));
  std::string key = hmac("AWS4" + std::string(secret), time.substr(0, 8));
  for (const std::string_view part :
       {region, std::string_view("s3"), std::string_view("aws4_request")}) {
    key = hmac(key, part);
  }
  return to_hex(hmac(key, to_sign));
}

}  // namespace

struct Digest::State {
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
};

Digest::Digest(Kind kind) : state_(std::make_unique<State>()) {
  const EVP_MD* const algorithm = kind == Kind::kMd5 ? EVP_md5() : EVP_sha256();
  CHECK(EVP_DigestInit_ex(state_->context, algorithm, nullptr) == 1);
}

Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;

void Digest::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int length = 0;
  CHECK(EVP_DigestFinal_ex(state_->context, out.data(), &length) == 1);
  return {reinterpret_cast<const char*>(out.data()), length};
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

std::string to_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // with the NUL that OpenSSL writes
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Digest digest(Digest::Kind::kSha256);
  digest.update(bytes);
  return to_hex(digest.finish());
}

std::string uri_encode(std::string_view text, Slash slash) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos || (c == '/' && slash == Slash::kKeep)) {
      out += c;
      continue;
    }
    out += '%';
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string canonical_query(std::vector<std::pair<std::string, std::string>> query) {
  for (auto& [name, value] : query) {
    name = uri_encode(name, Slash::kEncode);
    value = uri_encode(value, Slash::kEncode);
  }
  std::sort(query.begin(), query.end());
  std::string text;
  for (const auto& [name, value] : query) text += (text.empty() ? "" : "&") + name + "=" + value;
  return text;
}

void sign(SignedRequest& request, const Credentials& credentials, std::string_view region,
          std::string_view payload_hash, std::int64_t now_ms) {
  const std::string time = timestamp(now_ms);
  request.headers["x-amz-date"] = time;
  request.headers["x-amz-content-sha256"] = payload_hash;
  if (!credentials.session_token.empty()) {
    request.headers["x-amz-security-token"] = credentials.session_token;
  }
  const std::string names = header_names(request);
  request.headers["authorization"] =
      std::string(kAlgorithm) + " Credential=" + credentials.access_key_id + "/" +
      scope_of(time, region) + ",SignedHeaders=" + names +
      ",Signature=" + signature(request, credentials.secret_access_key, region, payload_hash, time);
}

std::string presigned_query(SignedRequest request, const Credentials& credentials,
                            std::string_view region, std::int64_t now_ms, std::int64_t expires_s) {
  const std::string time = timestamp(now_ms);
  request.query.emplace_back("X-Amz-Algorithm", kAlgorithm);
  request.query.emplace_back("X-Amz-Credential",
                             credentials.access_key_id + "/" + scope_of(time, region));
  request.query.emplace_back("X-Amz-Date", time);
  request.query.emplace_back("X-Amz-Expires", std::to_string(expires_s));
  if (!credentials.session_token.empty()) {
    request.query.emplace_back("X-Amz-Security-Token", credentials.session_token);
  }
  request.query.emplace_back("X-Amz-SignedHeaders", header_names(request));
  const std::string proof =
      signature(request, credentials.secret_access_key, region, kUnsignedPayload, time);
  return canonical_query(request.query) + "&X-Amz-Signature=" + proof;
}

}  // namespace ciclo::blob
