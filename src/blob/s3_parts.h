// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "blob/s3_client.h"
#include "blob/store.h"

// What S3 does in parts: objects that are too large for one request are sent, or copied within the
// bucket, part by part, several at a time. Safe to share between threads.

namespace ciclo::blob {

class S3Parts {
 public:
  // `part_bytes` grows where an object would have more than 10,000 parts. `client` must outlive
  // this.
  S3Parts(S3Client& client, std::uint64_t part_bytes, int parallel_max)
      : client_(client), part_bytes_(part_bytes), parallel_max_(parallel_max) {}

  std::uint64_t part_bytes() const { return part_bytes_; }

  // `size` bytes of an open file as one object. An upload that fails is aborted.
  Result<void> put(const std::string& key, int file, std::uint64_t size) const;

  // The object `from` under another key, or anew under its own. The bytes stay in the service.
  Result<void> copy(const std::string& from, const std::string& to, std::uint64_t size) const;

  // The steps, for uploads whose parts somebody else sends. Tags as the answers to the parts gave
  // them, in order.
  Result<std::string> begin(const std::string& key) const;
  Result<void> complete(const std::string& key, const std::string& upload,
                        const std::vector<std::string>& tags) const;
  Result<void> abort(const std::string& key, const std::string& upload) const;

  // The uploads below the prefix that are neither completed nor aborted, and to which nothing was
  // sent since a time; aborts them where it says so.
  Result<Store::Leftovers> sweep(const std::string& prefix, std::int64_t before_ms,
                                 Store::Sweep sweep) const;

 private:
  // Sends part `number`, from 1 on, and gives its tag.
  using SendPart = std::function<Result<std::string>(std::uint64_t number, std::uint64_t offset,
                                                     std::uint64_t bytes)>;
  Result<void> in_parts(const std::string& key, std::uint64_t size, std::uint64_t part_bytes,
                        const std::function<SendPart(const std::string& upload)>& sender) const;
  Result<std::vector<std::string>> send_all(std::uint64_t size, std::uint64_t part_bytes,
                                            const SendPart& send) const;
  struct Sent {
    std::uint64_t bytes = 0;
    std::int64_t newest_ms = 0;  // when the last part came; 0: none did
  };
  Result<Sent> sent_of(const std::string& key, const std::string& upload) const;

  S3Client& client_;
  const std::uint64_t part_bytes_;
  const int parallel_max_;
};

}  // namespace ciclo::blob
