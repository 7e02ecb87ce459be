// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/result.h"
#include "blob/columns.h"
#include "blob/store.h"
#include "sql/database.h"

// The files below runs, logged models and experiments: one tree of names per workspace, whose files
// are blobs. `mlflow-artifacts:/PATH` is the URI of PATH in it. Putting a blob under a name costs
// one row, so a model package that lineage holds already is shown below a run without a copy.
// Removing takes the name away; the bytes stay for other names. Safe to share between threads.

namespace ciclo::tracking {

// A name in the tree: "3/RUN/artifacts/model/MLmodel". Segments are not empty, not "." or "..",
// hold no control character and no backslash; no slash at either end. Empty: the root.
class ArtifactPath {
 public:
  ArtifactPath() = default;
  // From decoded text. invalid_argument for an absolute path, a drive letter, "..", NUL and other
  // control characters, a backslash, an escape that is still encoded (%2e, %2f, %5c, %00, %25),
  // bytes that are not UTF-8, a segment over 255 bytes or a path over 1,024. A slash at the end and
  // double slashes are dropped, as are segments ".".
  static Result<ArtifactPath> parse(std::string_view text);
  // Of "mlflow-artifacts:/PATH" and "mlflow-artifacts://HOST/PATH".
  static Result<ArtifactPath> from_uri(std::string_view uri);

  const std::string& str() const { return text_; }
  std::string uri() const { return "mlflow-artifacts:/" + text_; }
  bool is_root() const { return text_.empty(); }
  ArtifactPath parent() const;         // of the root: the root
  std::string_view file_name() const;  // the last segment
  ArtifactPath operator/(const ArtifactPath& tail) const;

  friend bool operator==(const ArtifactPath&, const ArtifactPath&) = default;

 private:
  std::string text_;
};

struct ArtifactFile {
  std::string path;  // relative to what was asked
  bool is_directory = false;
  std::uint64_t size = 0;
  blob::Hash hash;  // of files
  std::int64_t modified_ms = 0;
};

struct ArtifactLink {
  ArtifactPath path;
  blob::Hash hash;
  std::uint64_t size = 0;
};

class Artifacts {
 public:
  // All must outlive the service.
  Artifacts(sql::Database& database, blob::Store& blobs, Clock& clock);

  // Streams what `fill` writes into a blob and puts it under the path, replacing a file that is
  // there. invalid_argument when the path, or a part of it, is a directory (a file) already.
  Result<ArtifactFile> put(const Context& context, const ArtifactPath& path,
                           const std::function<Result<void>(blob::Writer&)>& fill);
  // Names for blobs that are stored already; all or none.
  Result<void> link(const Context& context, std::span<const ArtifactLink> links);
  // The same as part of a transaction of the caller.
  static Result<void> link_in(sql::Txn& txn, std::string_view workspace,
                              std::span<const ArtifactLink> links, std::int64_t now_ms);
  // Stores every file below `directory` (regular files only) under `root`.
  Result<void> put_directory(const Context& context, const ArtifactPath& root,
                             const std::filesystem::path& directory);

  // The entries directly below a directory, sorted by name; of a file or nothing: empty.
  Result<std::vector<ArtifactFile>> list(const Context& context, const ArtifactPath& directory);
  // All files below a directory, by path.
  Result<std::vector<ArtifactFile>> tree(const Context& context, const ArtifactPath& directory);
  // not_found when there is no such name.
  Result<ArtifactFile> stat(const Context& context, const ArtifactPath& path);
  // The bytes from `offset` on, at most `length`. not_found for a directory.
  Result<void> read(const Context& context, const ArtifactPath& path, std::uint64_t offset,
                    std::uint64_t length,
                    const std::function<Result<void>(std::string_view)>& piece);
  // A small file, whole.
  Result<std::string> get(const Context& context, const ArtifactPath& path,
                          std::uint64_t bytes_max = 16 << 20);
  // Copies all files below `root` into a directory, which is made. not_found when there are none.
  Result<void> check_out(const Context& context, const ArtifactPath& root,
                         const std::filesystem::path& directory);
  // Takes a file, or a directory with all below it, out of the tree. Nothing happens when there is
  // none.
  Result<void> remove(const Context& context, const ArtifactPath& path);

 private:
  sql::Database& database_;
  blob::Store& blobs_;
  Clock& clock_;
};

// The same as Artifacts::remove within the caller's transaction.
Result<void> remove_artifacts(sql::Txn& txn, std::string_view workspace, const ArtifactPath& path);

// Where the module's tables name blobs.
std::span<const blob::Column> blob_columns();

// Folders, of any workspace.
class ArtifactFolders {
 public:
  void add(std::string_view workspace, const ArtifactPath& folder);
  bool empty() const { return folders_.empty(); }
  // Whether one of them is, or lies above, `directory`.
  bool hold(std::string_view workspace, std::string_view directory) const;

 private:
  std::set<std::string> folders_;
};

// Calls `on_hash` for the blob of every file that lies in none of the folders, of all workspaces.
Result<void> visit_blobs(sql::Reader& reader, const ArtifactFolders& without,
                         const std::function<Result<void>(std::string_view)>& on_hash);

// Bytes of all files below a directory; of a file: its own.
Result<std::uint64_t> artifact_bytes(sql::Reader& reader, std::string_view workspace,
                                     const ArtifactPath& path);

}  // namespace ciclo::tracking
