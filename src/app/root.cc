// SPDX-License-Identifier: Apache-2.0
#include "app/root.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "data/datasets.h"
#include "events/log.h"
#include "lineage/lineage.h"
#include "migrate/migration.h"
#include "monitor/monitor.h"
#include "pipeline/pipeline.h"
#include "registry/registry.h"
#include "serve/endpoints.h"
#include "sql/schema_state.h"
#include "steps/projects.h"
#include "tracking/tracking.h"

namespace ciclo::app {
namespace {

// The schemas of all modules; a module's tables may refer to those of modules before it.
std::vector<sql::Migration> all_migrations() {
  std::vector<sql::Migration> all;
  for (const auto module :
       {sql::schema(), events::schema(), lineage::schema(), data::schema(), tracking::schema(),
        registry::schema(), migrate::schema(), pipeline::schema(), serve::schema(),
        monitor::schema(), steps::schema()}) {
    all.insert(all.end(), module.begin(), module.end());
  }
  return all;
}

// Made once and kept in the root. It tells servers apart whose machines have the same name.
Result<std::string> id_of(const std::filesystem::path& root) {
  constexpr std::size_t kDigits = 32;
  const auto path = root / "server-id";
  const auto known = read_file(path, kDigits + 1);
  if (known.ok()) {
    std::string id(trim(*known));
    if (id.size() == kDigits && id.find_first_not_of("0123456789abcdef") == std::string::npos) {
      return id;
    }
    return failed_precondition(path.string() + " must hold 32 hexadecimal digits; remove it, and " +
                               "a new one is made");
  }
  if (known.error().code != Code::kNotFound) return known.error();
  SystemRandom random;
  std::array<char, kDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(random.next()),
                static_cast<unsigned long long>(random.next()));
  TRY(write_file_durably(path, std::string(text.data()) + "\n"));
  return std::string(text.data());
}

std::string database_url(const RootOptions& options, const std::filesystem::path& root) {
  if (!options.database_url.empty()) return options.database_url;
  return "sqlite:" + (root / "ciclo.db").string();
}

}  // namespace

Result<RootLock> RootLock::take(const std::filesystem::path& root) {
  const auto path = root / "lock";
  RootLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock.descriptor_ < 0) return file_error("open", path, errno);
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return file_error("lock", path, errno);
  return failed_precondition("another ciclo works on " + root.string() +
                             "; talk to it with --server URL, or choose another root");
}

RootLock::~RootLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<bool> is_new_root(const RootOptions& options) {
  const std::string url = database_url(options, options.root);
  auto chosen = options.database;
  chosen.is_read_only = true;
  const auto database = sql::open(url, chosen);
  if (!database.ok() && database.error().code == Code::kNotFound) return true;
  if (!database.ok()) return database.error();
  TRY(const auto state, sql::schema_state(**database, all_migrations()));
  if (state != sql::SchemaState::kOlder) return state == sql::SchemaState::kNone;
  return failed_precondition("the database " + sql::redact_url(url) +
                             " is of an older Ciclo: start the server on it once, which brings it "
                             "up to date");
}

Result<Root> open_root(const RootOptions& options) {
  std::error_code failure;
  const auto path = std::filesystem::absolute(options.root, failure).lexically_normal();
  if (failure) return file_error("resolve", options.root, failure.value());
  TRY(make_directories_durably(path));
  TRY(RootLock lock, RootLock::take(path));
  TRY(std::string id, id_of(path));
  const std::string blobs_url =
      options.blobs_url.empty() ? "file:" + (path / "blobs").string() : options.blobs_url;
  TRY(auto database, sql::open(database_url(options, path), options.database));
  TRY(sql::migrate(*database, all_migrations()));
  blob::OpenOptions blob_options = options.blobs;
  blob_options.cache_directory = path / "cache" / "blobs";
  TRY(auto blobs, blob::open(blobs_url, blob_options));
  return Root{path, std::move(lock), std::move(id), std::move(database), std::move(blobs)};
}

}  // namespace ciclo::app
