// SPDX-License-Identifier: Apache-2.0
#include "api/mlflow/otlp.h"

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "tracking/span_text.h"

// The first byte says which encoding; the rest is the body. What is accepted can be stored, and is
// read back: as the same text, but for blanks in a value that is JSON itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ciclo;
  using api::mlflow::OtlpEncoding;
  if (size == 0) return 0;
  const auto encoding = data[0] == 'j' ? OtlpEncoding::kJson : OtlpEncoding::kProtobuf;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto parsed = api::mlflow::parse_otlp(body, encoding);
  if (!parsed.ok()) {
    CHECK(!parsed.error().message.empty());
    return 0;
  }
  CHECK((parsed->rejected == 0) == parsed->reason.empty());
  CHECK(otlp_response(*parsed, encoding).size() < 1'000);
  for (const auto& batch : parsed->batches) {
    for (const auto& span : batch.spans) {
      const std::string content = tracking::span_content(span);
      CHECK(is_utf8(content));
      CHECK(content.find('\0') == std::string::npos);
      const auto again = tracking::parse_span_content(content);
      CHECK(again.ok());
      CHECK(again->trace_id == span.trace_id);
      CHECK(again->span_id == span.span_id);
      CHECK(again->start_ns == span.start_ns);
      const std::string normal = tracking::span_content(*again);
      const auto once_more = tracking::parse_span_content(normal);
      CHECK(once_more.ok());
      CHECK(tracking::span_content(*once_more) == normal);
    }
  }
  return 0;
}
