// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"
#include "blob/direct.h"
#include "blob/store.h"
#include "tracking/artifacts.h"

namespace ciclo::tracking {

// Artifacts that clients bring to the store of values, and take from it, past this program
// (blob/direct.h). All functions but `are_possible` return unimplemented where they are not. Safe
// to share between threads.
class Transfers {
 public:
  // Both must outlive it.
  Transfers(Artifacts& artifacts, blob::Store& blobs) : artifacts_(artifacts), blobs_(blobs) {}

  bool are_possible() const;

  Result<blob::Direct::Upload> begin(const Context& context, const ArtifactPath& path,
                                     std::int64_t parts) const;
  // Reads the whole once. Then the file is there as after Artifacts::put.
  Result<void> complete(const Context& context, const ArtifactPath& path, std::string_view id,
                        std::span<const blob::Direct::Part> parts) const;
  Result<void> abort(const Context& context, const ArtifactPath& path, std::string_view id) const;

  struct Download {
    std::string url;
    std::uint64_t size = 0;
  };
  // not_found when there is no such name, invalid_argument for a directory.
  Result<Download> download(const Context& context, const ArtifactPath& path,
                            std::int64_t expires_s) const;

 private:
  Result<blob::Direct*> direct() const;

  Artifacts& artifacts_;
  blob::Store& blobs_;
};

}  // namespace ciclo::tracking
