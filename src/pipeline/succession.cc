// SPDX-License-Identifier: Apache-2.0
#include "pipeline/succession.h"

namespace ciclo::pipeline {

Result<bool> Succession::is_free() {
  TRY(const auto row,
      database_.view([](sql::Reader& reader) { return store::find_engine(reader); }));
  if (!row || row->owner.empty() || row->owner == owner_ || owner_.empty()) return true;
  const std::int64_t now_ns = clock_.monotonic_ns();
  if (!seen_ || *seen_ != *row) {
    seen_ = row;
    seen_ns_ = now_ns;
  }
  return now_ns - seen_ns_ >= dead_after_ns_;
}

}  // namespace ciclo::pipeline
