// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "tracking/point_codec.h"

namespace {

using namespace ciclo;
using namespace ciclo::tracking;

// Bytes are points, or data_loss; points that came out go in and come out again.
void decode(std::string_view bytes) {
  const auto points = PointCodec().decode(bytes);
  if (!points.ok()) {
    CHECK(points.error().code == Code::kDataLoss);
    return;
  }
  CHECK(points->size() <= kEncodedPointsMax);
  const auto again = PointCodec().decode(PointCodec().encode(*points));
  CHECK(again.ok());
  CHECK(*again == *points);
}

}  // namespace

// Once as they are, where hardly any have the right seal, and once with it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  decode(bytes);
  decode(bytes + seal_of(bytes));
  return 0;
}
