// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/curl_handles.h"
#include "base/random.h"
#include "base/result.h"
#include "blob/sigv4.h"

// Signed requests to one bucket of a store that speaks the S3 API, over libcurl. Connections are
// kept and reused. Safe to share between threads; calls block.
//
// What passes is tried again with growing pauses: lost and refused connections, time-outs, 429 and
// 5xx; never 403 or another answer that would come again. A body goes with its MD5, so that the
// store keeps nothing of one that was cut off or damaged on the way. Errors are told in one
// sentence that names the store, the bucket and what the store said; no secret is part of it:
//   not_found            there is no such object (NoSuchKey, NoSuchUpload)
//   invalid_argument     parts of an upload that the store does not know, or that are too small
//   failed_precondition  there is no such bucket, or it is in another region
//   permission_denied    the credentials are refused or not allowed to do this
//   unavailable          the store cannot be reached, or answered 5xx or 429 at every attempt
//   deadline_exceeded    nothing moved for the time-out, at every attempt

namespace ciclo::blob {

// Where a bucket is and how it is talked to.
struct S3Options {
  std::string bucket;
  std::string scheme = "https";
  std::string host;  // with the port, where it is not the scheme's
  std::string path;  // before the key: "/BUCKET" where buckets are addressed by path
  std::string region = "us-east-1";
  std::string ca_file;
  Credentials credentials;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{60'000};
  int attempts_max = 4;
  std::chrono::milliseconds backoff{200};
  std::size_t connections_max = 16;  // kept; there may be more under way
};

struct S3Request {
  std::string method = "GET";
  std::string key;  // empty: the bucket itself
  std::vector<std::pair<std::string, std::string>> query;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string_view body;                       // or, when `file` is set:
  int file = -1;                               // `file_bytes` of a descriptor, from `file_offset`
  std::uint64_t file_offset = 0;
  std::uint64_t file_bytes = 0;
};

struct S3Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  std::string header(const std::string& name) const;
};

class S3Client {
 public:
  // `clock` and `random` must outlive the client.
  S3Client(S3Options options, Clock& clock, Random& random);
  ~S3Client();

  // An answer of 2xx; everything else is an error.
  Result<S3Answer> call(const S3Request& request);

  // Calls `piece` for the object's bytes from `offset` on, at most `length` of them. A connection
  // that is lost on the way is taken up again where it ended. `size` is told the object's before
  // this returns success. invalid_argument when the object ends before `offset`; `length` is not 0.
  Result<void> read(const std::string& key, std::uint64_t offset, std::uint64_t length,
                    const std::function<void(std::uint64_t)>& size,
                    const std::function<Result<void>(std::string_view)>& piece);

  // The answer of an attempt that is not repeated, for what must not arrive late.
  Result<S3Answer> call_once(const S3Request& request);

  void pause(std::chrono::milliseconds time) const;

  // When a time that an answer names was by our clock, which may differ from the store's. Both it
  // and the answer's own have whole seconds, so this may be off by one.
  std::int64_t local_time(const S3Answer& answer, std::int64_t time_ms) const;

  // A URL that is good for this one request for `expires_s` seconds, whoever has it.
  std::string presign(const S3Request& request, std::int64_t expires_s) const;

  // "/BUCKET/KEY", encoded: how a copy names its source.
  std::string source_of(const std::string& key) const;

  // "bucket x at https://host", for messages.
  std::string name() const;

 private:
  struct Attempt;
  struct Outcome;
  // What goes with a body to prove that it came whole.
  struct Proof {
    std::string payload;  // as x-amz-content-sha256 has it
    std::string md5;      // as Content-MD5 has it; empty where nothing is sent to be kept
  };

  Outcome attempt(const S3Request& request, const Proof& proof,
                  const std::function<Result<void>(std::string_view)>* piece) const;
  void wait_before(int number) const;
  SignedRequest unsigned_request(const S3Request& request) const;
  Result<Proof> proof_of(const S3Request& request) const;
  Error error_of(const S3Request& request, const S3Answer& answer) const;
  Error transport_error(int code, const char* detail) const;

  const S3Options options_;
  Clock& clock_;
  Random& random_;
  mutable CurlHandles handles_;
};

}  // namespace ciclo::blob
