// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/result.h"
#include "data/batch.h"
#include "data/engine.h"

// One locked database in memory: what Engine opens for each call. Used directly where several
// statements must see one another, within this folder. Not safe to share between threads.

namespace ciclo::data {

struct SessionOptions {
  EngineOptions engine;
  std::vector<std::string> writable_files;  // paths that COPY … TO may write
};

class Session {
 public:
  // Binds each table as a view of its name; files of a table without a name may be read by path.
  static Result<Session> open(const Context& context, Clock& clock, const SessionOptions& options,
                              const std::vector<Table>& tables);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // As Engine::describe and Engine::query.
  Result<std::vector<ResultColumn>> describe(std::string_view select);
  Result<void> query(std::string_view select, const Engine::OnBatch& on_batch);

  // A statement of ours, of any kind; the number of rows changed or written.
  Result<std::int64_t> execute(const std::string& statement);

  // Copies the result of a SELECT, which the caller has checked to be one, to one of the writable
  // files, which is replaced.
  Result<ParquetFile> copy_to_parquet(std::string_view select, const std::string& path);

  // Makes a table of the rows.
  Result<void> create_table(const std::string& name, const Batch& rows);

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// "read_parquet([…])": what stands after FROM for a table's files. `rejects`: rows of a CSV that
// cannot be read go to the table reject_errors in place of ending the statement.
std::string source_sql(const Table& table, bool rejects = false);

// Where COPY writes before the result takes its name.
std::string partial_path(const std::string& path);

}  // namespace ciclo::data
