// SPDX-License-Identifier: Apache-2.0
#include "sql/database.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "sql/open.h"
#include "sql/postgres.h"
#include "sql/sqlite.h"

namespace ciclo::sql {

Param param(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return std::string_view(*text);
}

Param param(std::optional<std::int64_t> number) {
  if (!number) return nullptr;
  return *number;
}

Param param(std::optional<double> number) {
  if (!number) return nullptr;
  return *number;
}

std::optional<std::string> Row::optional_string(int column) const {
  if (is_null(column)) return std::nullopt;
  return string(column);
}

std::optional<std::int64_t> Row::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::optional<double> Row::optional_number(int column) const {
  if (is_null(column)) return std::nullopt;
  return number(column);
}

Result<std::unique_ptr<Database>> open(std::string_view url) { return open(url, OpenOptions()); }

Result<std::unique_ptr<Database>> open(std::string_view url, const OpenOptions& chosen) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite)) {
    SqliteOptions options;
    options.path = url.substr(kSqlite.size());
    options.busy_timeout_ms = chosen.busy_timeout_ms;
    options.cache_bytes_max = chosen.cache_bytes_max;
    options.is_read_only = chosen.is_read_only;
    if (chosen.connections_max > 0) options.readers_max = chosen.connections_max;
    return open_sqlite(std::move(options));
  }
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) {
    PostgresOptions options;
    options.url = url;
    options.connect_timeout_s = chosen.connect_timeout_s;
    options.statement_timeout_ms = chosen.statement_timeout_ms;
    options.is_read_only = chosen.is_read_only;
    if (chosen.connections_max > 0) options.connections_max = chosen.connections_max;
    return open_postgres(std::move(options));
  }
  return invalid_argument("database " + quoted(redact_url(url)) +
                          ": expected sqlite:PATH or postgresql://user:password@host:port/name");
}

std::string redact_url(std::string_view url) {
  std::string out(url);
  const std::size_t scheme = out.find("://");
  if (scheme == std::string::npos) return out;
  // The last @ of the authority ends the user part; a password may hold one unescaped by mistake.
  // So it may hold what ends an authority, which other programs take ("u:p/w@host"): where no @
  // stands before that, the last one of all counts, and rather too much is hidden than too little.
  const std::size_t start = scheme + 3;
  const std::size_t authority_end = std::min(out.find_first_of("/?#", start), out.size());
  std::size_t at = out.rfind('@', authority_end);
  if (at == std::string::npos || at < start) at = out.rfind('@');
  const std::size_t colon = out.find(':', start);
  if (at != std::string::npos && at > start && colon < at) {
    out.replace(colon + 1, at - colon - 1, "***");
  }
  const std::size_t query = out.find('?', start);
  if (query == std::string::npos) return out;
  for (const std::string_view key : {"password=", "sslpassword="}) {
    std::size_t found = out.find(key, query);
    while (found != std::string::npos) {
      const std::size_t value = found + key.size();
      const std::size_t end = std::min(out.find('&', value), out.size());
      out.replace(value, end - value, "***");
      found = out.find(key, value);
    }
  }
  return out;
}

}  // namespace ciclo::sql
