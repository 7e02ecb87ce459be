// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "api/oip/infer.h"
#include "base/check.h"

// What is accepted is a table with as many rows in every column.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using ciclo::data::ColumnType;
  ciclo::serve::Signature signature;
  if (size % 2 == 0) signature.inputs.push_back({"text", ColumnType::kText});
  signature.inputs.push_back({"number", ColumnType::kNumber});
  signature.inputs.push_back({"when", ColumnType::kTimestamp});
  signature.inputs.push_back({"flag", ColumnType::kBoolean});
  signature.outputs.push_back({"probability", ColumnType::kNumber});
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto request = ciclo::api::oip::parse_infer(body, signature);
  if (!request.ok()) {
    CHECK(!request.error().message.empty());
    return 0;
  }
  CHECK(request->rows.rows() > 0);
  CHECK(request->rows.columns.size() == signature.inputs.size());
  for (const auto& column : request->rows.columns) CHECK(column.rows() == request->rows.rows());
  return 0;
}
