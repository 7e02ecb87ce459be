// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "blob/open.h"
#include "blob/store.h"
#include "sql/database.h"
#include "sql/open.h"

namespace ciclo::app {

// Held while a process works on a root; the system lets go of it when the process dies, however it
// dies.
class RootLock {
 public:
  // failed_precondition when another process holds it.
  static Result<RootLock> take(const std::filesystem::path& root);
  RootLock(RootLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RootLock& operator=(RootLock&&) = delete;
  ~RootLock();

 private:
  explicit RootLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

struct RootOptions {
  std::filesystem::path root;  // made when it is missing
  std::string database_url;    // empty: ROOT/ciclo.db
  sql::OpenOptions database;
  std::string blobs_url;    // empty: ROOT/blobs
  blob::OpenOptions blobs;  // its cache is ROOT/cache/blobs, whatever is said here
};

// What is kept of a platform, locked and open.
struct Root {
  std::filesystem::path path;  // absolute
  RootLock lock;
  std::string id;  // of this root among all roots, for ever: 32 hexadecimal digits
  std::unique_ptr<sql::Database> database;
  std::unique_ptr<blob::Store> blobs;
};

// Whether opening the root would make its database. Writes nothing. failed_precondition when it
// would bring one of an older Ciclo up to date.
Result<bool> is_new_root(const RootOptions& options);

// Opens or makes the root and brings the database to the newest schema of all modules.
Result<Root> open_root(const RootOptions& options);

}  // namespace ciclo::app
