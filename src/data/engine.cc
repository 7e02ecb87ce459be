// SPDX-License-Identifier: Apache-2.0
#include "data/engine.h"

#include <utility>

#include "data/session.h"

namespace ciclo::data {
Engine::Engine(Clock& clock, EngineOptions options) : clock_(clock), options_(std::move(options)) {}

Engine Engine::with_threads(int threads) const {
  EngineOptions options = options_;
  options.threads = threads;
  return Engine(clock_, options);
}

// One thread: parallel joins and aggregates give their rows in an order that varies, and parallel
// writers other row groups.
Result<Session> Engine::open_for_writing(const Context& context, const std::vector<Table>& tables,
                                         const std::string& path) const {
  SessionOptions options{options_, {path, partial_path(path)}};
  options.engine.threads = 1;
  return Session::open(context, clock_, options, tables);
}

Result<std::vector<ResultColumn>> Engine::describe(const Context& context,
                                                   const std::vector<Table>& tables,
                                                   std::string_view sql) const {
  TRY(Session session, Session::open(context, clock_, {options_, {}}, tables));
  return session.describe(sql);
}

Result<void> Engine::query(const Context& context, const std::vector<Table>& tables,
                           std::string_view sql, const OnBatch& on_batch) const {
  TRY(Session session, Session::open(context, clock_, {options_, {}}, tables));
  return session.query(sql, on_batch);
}

Result<Batch> Engine::query_all(const Context& context, const std::vector<Table>& tables,
                                std::string_view sql, std::size_t rows_max) const {
  Batch all;
  TRY(query(context, tables, sql, [&](const Batch& batch) -> Result<void> {
    if (all.rows() + batch.rows() > rows_max) {
      return resource_exhausted("the result has more than " + std::to_string(rows_max) + " rows");
    }
    all.append_batch(batch);
    return {};
  }));
  return all;
}

Result<std::int64_t> Engine::query_integer(const Context& context, const std::vector<Table>& tables,
                                           std::string_view sql) const {
  TRY(const Batch batch, query_all(context, tables, sql, 2));
  if (batch.rows() != 1 || batch.columns.size() != 1 ||
      batch.columns[0].type != ColumnType::kInteger || batch.columns[0].is_null(0)) {
    return invalid_argument("sql: expected one integer as the result");
  }
  return static_cast<std::int64_t>(batch.columns[0].numbers[0]);
}

Result<ParquetFile> Engine::write_parquet(const Context& context, const std::vector<Table>& tables,
                                          std::string_view sql, const std::string& path) const {
  TRY(Session session, open_for_writing(context, tables, path));
  TRY(session.describe(sql));
  return session.copy_to_parquet(sql, path);
}

Result<ParquetFile> Engine::write_parquet(const Context& context, const Batch& rows,
                                          const std::string& path) const {
  if (rows.columns.empty()) return invalid_argument("a table needs at least one column");
  TRY(Session session, open_for_writing(context, {}, path));
  TRY(session.create_table("rows", rows));
  return session.copy_to_parquet("SELECT * FROM \"rows\"", path);
}

}  // namespace ciclo::data
