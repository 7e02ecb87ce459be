// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "api/invocations/body.h"
#include "base/check.h"

// The first line is the content type, the rest the body. What is accepted is a table with as many
// rows in every column.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ciclo::data::ColumnType;
  ciclo::serve::Signature signature;
  signature.inputs = {{"text", ColumnType::kText},
                      {"number", ColumnType::kNumber},
                      {"when", ColumnType::kTimestamp},
                      {"flag", ColumnType::kBoolean}};
  signature.outputs = {{"probability", ColumnType::kNumber}};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(input.find('\n'), input.size());
  const auto body = input.substr(std::min(end + 1, input.size()));
  const auto parsed = ciclo::api::invocations::parse_body(input.substr(0, end), body, signature);
  if (!parsed.ok()) {
    CHECK(!parsed.error().message.empty());
    return 0;
  }
  CHECK(parsed->rows.rows() > 0);
  for (const auto& column : parsed->rows.columns) CHECK(column.rows() == parsed->rows.rows());
  return 0;
}
