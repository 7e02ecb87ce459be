// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "blob/store.h"

// Transfers between a client and the service that keeps the values, past this program: a client is
// handed URLs that are good for one request each and for a while. Safe to share between threads.
//
// What a client uploads is nobody's until `complete` has read it once, for its hash, and given it
// its place. An upload is bound to what the caller says it is for; under another name it is not
// found.

namespace ciclo::blob {

class Direct {
 public:
  virtual ~Direct() = default;

  struct Upload {
    std::string id;
    std::vector<std::string> part_urls;  // to PUT part 1, 2, … to; an answer's ETag is its tag
  };
  // `parts` from 1 to 10,000; all but the last must have 5 MiB at least.
  virtual Result<Upload> begin(std::string_view purpose, std::int64_t parts) = 0;

  struct Part {
    std::int64_t number = 0;
    std::string tag;
  };
  // invalid_argument for parts that the service does not know, or that are too small; not_found
  // for an upload that is unknown, was aborted, or was completed long ago. Completing the same
  // upload again gives the same answer until `forget`.
  virtual Result<Writer::Committed> complete(std::string_view purpose, std::string_view id,
                                             std::span<const Part> parts) = 0;
  // The upload was completed, and its value has a name.
  virtual Result<void> forget(std::string_view purpose, std::string_view id) = 0;
  // Nothing happens when there is no such upload.
  virtual Result<void> abort(std::string_view purpose, std::string_view id) = 0;

  // A URL to GET a value from, which a browser saves under the name. The value need not exist.
  virtual Result<std::string> download_url(const Hash& hash, std::string_view file_name,
                                           std::int64_t expires_s) = 0;
};

}  // namespace ciclo::blob
