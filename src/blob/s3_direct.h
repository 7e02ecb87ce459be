// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "base/random.h"
#include "blob/direct.h"
#include "blob/s3_client.h"
#include "blob/s3_parts.h"

namespace ciclo::blob {

// Uploads go to PREFIX/uploads/TOKEN-PURPOSE, where PURPOSE is a hash of what they are for; the id
// that the client gets is TOKEN.UPLOAD. So nothing has to be remembered here, and any server of the
// bucket can complete what another began.
class S3Direct final : public Direct {
 public:
  // Gives an object of `size` bytes its place as the value with the hash.
  using Adopt =
      std::function<Result<void>(const std::string& key, const Hash& hash, std::uint64_t size)>;

  // All must outlive it.
  S3Direct(S3Client& client, const S3Parts& parts, Random& random, std::string prefix, Adopt adopt)
      : client_(client),
        parts_(parts),
        random_(random),
        prefix_(std::move(prefix)),
        adopt_(std::move(adopt)) {}

  Result<Upload> begin(std::string_view purpose, std::int64_t parts) override;
  Result<Writer::Committed> complete(std::string_view purpose, std::string_view id,
                                     std::span<const Part> parts) override;
  Result<void> forget(std::string_view purpose, std::string_view id) override;
  Result<void> abort(std::string_view purpose, std::string_view id) override;
  Result<std::string> download_url(const Hash& hash, std::string_view file_name,
                                   std::int64_t expires_s) override;

 private:
  struct Place {
    std::string key;
    std::string upload;
  };
  Result<Place> place_of(std::string_view purpose, std::string_view id) const;
  std::string key_of(std::string_view purpose, std::string_view token) const;

  S3Client& client_;
  const S3Parts& parts_;
  Random& random_;
  const std::string prefix_;
  const Adopt adopt_;
};

}  // namespace ciclo::blob
