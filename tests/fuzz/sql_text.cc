// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "sql/dialect.h"

// Any text of a migration is cut into statements that are whole: cutting one of them again gives
// it. What is translated for SQLite holds no word that would be translated again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ciclo::sql;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t bytes = 0;
  for (const auto& statement : split_statements(text)) {
    CHECK(!statement.empty());
    CHECK(statement == ciclo::trim(statement));
    const auto again = split_statements(statement);
    CHECK(again.size() == 1);
    CHECK(again.front() == statement);
    bytes += statement.size();
  }
  CHECK(bytes <= text.size());
  const std::string translated = translate(text, Engine::kSqlite);
  CHECK(translate(translated, Engine::kSqlite) == translated);
  CHECK(translate(text, Engine::kPostgres).size() + 16 >= text.size() / 2);
  CHECK(escape_like(text).size() >= text.size());
  return 0;
}
