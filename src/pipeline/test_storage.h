// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "sql/test_database.h"

namespace ciclo::pipeline {

// Where the systems of one test keep their rows: a file in `root`, or a schema of the PostgreSQL
// server that the tests have. It must outlive them.
class TestStorage {
 public:
  TestStorage(sql::Engine engine, const std::filesystem::path& root)
      : url_("sqlite:" + (root / "ciclo.db").string()) {
    if (engine == sql::Engine::kSqlite) return;
    schema_.emplace(engine);
    url_ = schema_->url();
  }
  const std::string& url() const { return url_; }

 private:
  std::optional<sql::TestDatabase> schema_;
  std::string url_;
};

}  // namespace ciclo::pipeline
