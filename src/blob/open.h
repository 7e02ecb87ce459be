// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "blob/sigv4.h"
#include "blob/store.h"

namespace ciclo::blob {

// What a user may set about the store of values beside its URL; of a local one, nothing.
//
// s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&addressing=path|virtual] names a bucket of any
// store that speaks the S3 API. What the URL leaves open is taken from here. Without an endpoint it
// is Amazon's; buckets there are addressed by host name, elsewhere by path.
struct OpenOptions {
  Credentials credentials;
  std::string endpoint;  // http:// or https://, host and port
  std::string region;    // us-east-1 when empty
  std::string ca_file;   // PEM; the system's when empty

  std::filesystem::path cache_directory;  // for copies of values that are read as files
  std::uint64_t cache_bytes_max = std::uint64_t{10} << 30;
  // What was asked for within this time is kept beyond that limit.
  std::chrono::milliseconds cache_kept{std::chrono::hours(1)};
  std::uint64_t part_bytes = 16 << 20;  // larger values go in parts of this size, at least 5 MiB
  int parallel_max = 4;                 // parts of one value under way at a time

  // Whether clients may be handed URLs of the service itself, which they must be able to reach.
  bool is_direct = true;
  // After which an upload in parts that nobody completed is given up.
  std::chrono::milliseconds upload_age_max{std::chrono::hours(24)};

  // How long a removal may take, from its first look at a value to its end.
  std::chrono::milliseconds removal_time_max{std::chrono::minutes(10)};

  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds timeout{60'000};  // without a byte; at least a second
  int attempts_max = 4;                       // of one request
  std::chrono::milliseconds backoff{200};     // doubles with each attempt, with full jitter
};

// As open(url), with options.
Result<std::unique_ptr<Store>> open(std::string_view url, const OpenOptions& options);

}  // namespace ciclo::blob
