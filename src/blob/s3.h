// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "blob/open.h"
#include "blob/s3_client.h"
#include "blob/store.h"

// Values in a bucket of a store that speaks the S3 API, under PREFIX/objects/ab/cdef… as in the
// local store's directory.
//
// A value's key is known when its last byte has come, so it is gathered first: a small one in
// memory, a larger one in a file of the cache, which it stays in as a copy. Then it is sent, in
// parts where it is large, several at a time; `commit` returns when the store has acknowledged it.
// A crash leaves at most parts of an upload that was never completed, which no one sees; those
// older than a day are given up when the store is opened, and once a day as large values are
// written.

namespace ciclo::blob {

// What `s3://…` means. invalid_argument for a malformed one, or when something is missing that
// neither it nor the options name; the message repeats no secret.
struct S3Location {
  S3Options client;
  std::string prefix;  // empty, or with a slash at its end
};
Result<S3Location> parse_s3_url(std::string_view url, const OpenOptions& options);

// Asks the bucket once: failed_precondition when it is not there, permission_denied when the
// credentials are refused, unavailable when the store cannot be reached.
Result<std::unique_ptr<Store>> open_s3(std::string_view url, const OpenOptions& options);

}  // namespace ciclo::blob
