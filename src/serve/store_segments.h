// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "blob/store.h"
#include "sql/database.h"

// The table of what servers captured and handed over to one another (serve/shared_capture.h).
// Functions without state; each runs in the caller's transaction or snapshot.

namespace ciclo::serve::store {

// One of the files that a server captures into.
struct CaptureFile {
  std::string endpoint;
  std::string kind;  // "captured" or "labels"
  std::string day;   // "2013-06-01"
  std::int64_t number = 0;

  friend auto operator<=>(const CaptureFile&, const CaptureFile&) = default;
};

struct Segment {
  std::int64_t id = 0;
  std::string server;
  CaptureFile file;
  std::uint64_t from = 0;  // bytes of the file
  std::uint64_t to = 0;
  blob::Hash hash;

  std::uint64_t bytes() const { return to - from; }
};

// Inserts it, in the place of the one with the id `replaced` unless that is 0; gives its id. Ids
// become visible in their order. failed_precondition when there is none to replace, or one begins
// at that byte already: then another server calls itself by the same name.
Result<std::int64_t> add_segment(sql::Txn& txn, const Segment& segment, std::int64_t replaced);

// The last one of each file of a server.
Result<std::vector<Segment>> last_segments(sql::Reader& reader, std::string_view server);

// Of all but this server, with greater ids, by id, at most `limit`.
Result<std::vector<Segment>> segments_of_others(sql::Reader& reader, std::string_view server,
                                                std::int64_t after, int limit);

Result<bool> has_segment(sql::Reader& reader, std::int64_t id);

}  // namespace ciclo::serve::store
