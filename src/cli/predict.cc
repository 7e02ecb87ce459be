// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/rows_json.h"
#include "cli/table.h"
#include "data/engine.h"
#include "data/ingest.h"
#include "http/message.h"

namespace ciclo::cli {

json::Value cell_json(const data::Column& column, std::size_t row) {
  if (column.is_null(row)) return {};
  if (column.type == data::ColumnType::kText) return column.texts[row];
  const double number = column.numbers[row];
  if (column.type == data::ColumnType::kBoolean) return number != 0;
  if (column.type == data::ColumnType::kInteger || column.type == data::ColumnType::kTimestamp) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

json::Value split_json(const data::Batch& rows) {
  json::Value columns = json::Value::array();
  for (const auto& column : rows.columns) columns.push_back(column.name);
  json::Value table = json::Value::array();
  for (std::size_t row = 0; row < rows.rows(); ++row) {
    json::Value cells = json::Value::array();
    for (const auto& column : rows.columns) cells.push_back(cell_json(column, row));
    table.push_back(std::move(cells));
  }
  return json::Value::object({{"columns", std::move(columns)}, {"data", std::move(table)}});
}

namespace {

Result<data::Batch> read_table(const std::string& file, std::int64_t limit) {
  SystemClock clock;
  const data::Engine engine(clock);
  const Context context;
  const TemporaryDirectory work;
  TRY(const data::Table source, data::open_source(engine, context, "source", {file}, {},
                                                  (work.path() / "unpacked").string()));
  return engine.query_all(context, {source}, "SELECT * FROM source LIMIT " + std::to_string(limit));
}

// A table's rows, or from standard input the body of a scoring request as it is.
Result<json::Value> request_body(const PredictOptions& options) {
  if (options.input == "-") {
    const std::string text((std::istreambuf_iterator<char>(std::cin)),
                           std::istreambuf_iterator<char>());
    TRY(json::Value body, json::parse(text));
    if (body.is_array()) return json::Value::object({{"dataframe_records", std::move(body)}});
    const bool row = body.is_object() && body.find("dataframe_split") == nullptr &&
                     body.find("dataframe_records") == nullptr &&
                     body.find("instances") == nullptr && body.find("inputs") == nullptr;
    if (row) {
      json::Value rows = json::Value::array();
      rows.push_back(std::move(body));
      return json::Value::object({{"dataframe_records", std::move(rows)}});
    }
    return body;
  }
  TRY(const data::Batch rows, read_table(options.input, options.limit));
  return json::Value::object({{"dataframe_split", split_json(rows)}});
}

}  // namespace

Result<void> predict(Session& session, const PredictOptions& options) {
  TRY(Api * api, session.api());
  TRY(const json::Value body, request_body(options));
  TRY(const json::Value answer,
      api->post("/endpoints/" + http::percent_encode(options.endpoint) + "/invocations", body));
  session.show(answer, [&] {
    const json::Value* predictions = answer.find("predictions");
    if (predictions == nullptr || !predictions->is_array()) {
      std::printf("%s\n", json::dump(answer).c_str());
      return;
    }
    for (const auto& prediction : predictions->items())
      std::printf("%s\n", json::dump(prediction).c_str());
  });
  return {};
}

}  // namespace ciclo::cli
