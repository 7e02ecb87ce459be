// SPDX-License-Identifier: Apache-2.0
//
// The examples of "Signature Calculations for the Authorization Header" and "Authenticating
// Requests: Using Query Parameters" in the Amazon S3 API reference.
#include "blob/sigv4.h"

#include <gtest/gtest.h>

namespace ciclo::blob {
namespace {

constexpr std::int64_t kTimeMs = 1'369'353'600'000;  // 2013-05-24T00:00:00Z
constexpr std::string_view kRegion = "us-east-1";
const std::string kHost = "examplebucket.s3.amazonaws.com";

Credentials example() {
  return {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
}

std::string signature_of(SignedRequest request, std::string_view body) {
  request.headers["host"] = kHost;
  sign(request, example(), kRegion, sha256_hex(body), kTimeMs);
  const std::string& line = request.headers.at("authorization");
  return line.substr(line.find("Signature=") + 10);
}

TEST(SigV4, signs_a_get_with_a_range) {
  EXPECT_EQ(signature_of({"GET", "/test.txt", {}, {{"range", "bytes=0-9"}}}, ""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, signs_a_put_with_a_body) {
  const SignedRequest request{
      "PUT",
      uri_encode("/test$file.text", Slash::kKeep),
      {},
      {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}}};
  EXPECT_EQ(signature_of(request, "Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, signs_a_query_in_order_and_gives_a_name_without_value_its_equals_sign) {
  EXPECT_EQ(signature_of({"GET", "/", {{"lifecycle", ""}}, {}}, ""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(signature_of({"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}}, ""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  EXPECT_EQ(canonical_query({{"uploads", ""}, {"a b", "x+y/z"}}), "a%20b=x%2By%2Fz&uploads=");
}

TEST(SigV4, signs_a_url) {
  const SignedRequest request{"GET", "/test.txt", {}, {{"host", kHost}}};
  const std::string query = presigned_query(request, example(), kRegion, kTimeMs, 86'400);
  EXPECT_TRUE(query.ends_with(
      "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
      << query;
}

TEST(SigV4, a_session_token_is_signed_too) {
  SignedRequest request{"GET", "/", {}, {{"host", kHost}}};
  Credentials temporary = example();
  temporary.session_token = "token";
  sign(request, temporary, kRegion, sha256_hex(""), kTimeMs);
  EXPECT_EQ(request.headers.at("x-amz-security-token"), "token");
  EXPECT_NE(request.headers.at("authorization").find("x-amz-security-token"), std::string::npos);
}

}  // namespace
}  // namespace ciclo::blob
