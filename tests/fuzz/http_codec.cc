// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/codec.h"

namespace {

using namespace ciclo;
using http::Coding;
using http::Decoder;

// Stops at 1 MiB, as a route's limit would.
Result<std::string> decode(Coding coding, std::string_view bytes) {
  std::string out;
  auto decoder = Decoder::create(coding);
  TRY(decoder->feed(bytes, [&](std::string_view piece) -> Result<void> {
    out += piece;
    if (out.size() > 1 << 20) return resource_exhausted("large");
    return {};
  }));
  TRY(decoder->finish());
  return out;
}

}  // namespace

// Any bytes decode or are refused, what was encoded decodes to itself, and any field can be read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto coding : {Coding::kGzip, Coding::kDeflate, Coding::kZstd}) {
    const auto decoded = decode(coding, bytes);
    if (!decoded.ok()) CHECK(!decoded.error().message.empty());
    const auto again = decode(coding, http::encode(coding, bytes));
    CHECK(again.ok());
    CHECK(*again == bytes);
  }
  http::accepted_coding(bytes);
  http::is_compressible(bytes);
  return 0;
}
