// SPDX-License-Identifier: Apache-2.0
#include "tracking/artifacts.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "tracking/store_artifacts.h"

namespace ciclo::tracking {

namespace {

constexpr std::size_t kPathBytesMax = 1'024;
constexpr std::size_t kSegmentBytesMax = 255;
constexpr std::string_view kScheme = "mlflow-artifacts:";

Error unsafe(std::string_view text, std::string_view why) {
  return invalid_argument("invalid artifact path " + quoted(text) + ": " + std::string(why));
}

// An escape that a client encoded twice, or a check before us has not seen.
bool has_escape(std::string_view text) {
  const std::string lower = to_lower_ascii(text);
  for (const std::string_view escape : {"%2e", "%2f", "%5c", "%00", "%25"}) {
    if (lower.find(escape) != std::string::npos) return true;
  }
  return false;
}

bool is_drive(std::string_view segment) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return segment.size() >= 2 && segment[1] == ':' && is_letter(segment[0]);
}

Result<void> check_text(std::string_view text) {
  if (text.size() > kPathBytesMax) {
    return unsafe(text, "it is longer than " + std::to_string(kPathBytesMax) + " bytes");
  }
  if (!is_utf8(text)) return unsafe(text, "it is not UTF-8");
  if (text.starts_with('/')) return unsafe(text, "it must be relative");
  if (has_escape(text)) return unsafe(text, "it holds an encoded character");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return unsafe(text, "it holds a control character");
    }
    if (c == '\\') return unsafe(text, "it holds a backslash: separate folders by /");
  }
  return {};
}

Error no_such(const ArtifactPath& path) {
  return not_found("no artifact " + quoted(path.str()) + " exists");
}

Error wrong_kind(std::string_view path, bool is_directory) {
  return invalid_argument("artifact path " + quoted(path) + " is a " +
                          (is_directory ? "directory" : "file") + " already");
}

std::string below(std::string_view directory, std::string_view name) {
  return directory.empty() ? std::string(name) : std::string(directory) + "/" + std::string(name);
}

// The entry and, as far as they are missing, the directories that lead to it.
Result<void> put_entry(sql::Txn& txn, std::string_view workspace, const ArtifactLink& link,
                       std::int64_t now_ms) {
  if (link.path.is_root()) return unsafe("", "a file needs a name");
  ArtifactFile file{std::string(link.path.file_name()), false, link.size, link.hash, now_ms};
  ArtifactPath directory = link.path.parent();
  TRY(const auto existing, store::find_entry(txn, workspace, directory.str(), file.path));
  if (existing && existing->is_directory) return wrong_kind(link.path.str(), true);
  TRY(store::put_entry(txn, workspace, directory.str(), file));
  while (!existing && !directory.is_root()) {
    const std::string name(directory.file_name());
    const ArtifactPath parent = directory.parent();
    TRY(const auto known, store::find_entry(txn, workspace, parent.str(), name));
    if (known && !known->is_directory) return wrong_kind(directory.str(), false);
    if (known) break;
    TRY(store::put_entry(txn, workspace, parent.str(), {name, true, 0, "", now_ms}));
    directory = parent;
  }
  return {};
}

Result<void> collect(sql::Reader& reader, const Context& context, const std::string& directory,
                     const std::string& prefix, std::vector<ArtifactFile>& out) {
  TRY(auto entries, store::list_entries(reader, context.workspace, directory));
  for (auto& entry : entries) {
    const std::string name = entry.path;
    entry.path = below(prefix, name);
    if (entry.is_directory) {
      TRY(collect(reader, context, below(directory, name), entry.path, out));
    } else {
      out.push_back(std::move(entry));
    }
  }
  return {};
}

Result<void> remove_below(sql::Txn& txn, std::string_view workspace, const std::string& directory) {
  TRY(const auto entries, store::list_entries(txn, workspace, directory));
  for (const auto& entry : entries) {
    if (entry.is_directory) TRY(remove_below(txn, workspace, below(directory, entry.path)));
  }
  return store::remove_entries(txn, workspace, directory);
}

Result<std::uint64_t> bytes_below(sql::Reader& reader, std::string_view workspace,
                                  const std::string& directory) {
  TRY(const auto entries, store::list_entries(reader, workspace, directory));
  std::uint64_t bytes = 0;
  for (const auto& entry : entries) {
    bytes += entry.size;
    if (!entry.is_directory) continue;
    TRY(const auto inside, bytes_below(reader, workspace, below(directory, entry.path)));
    bytes += inside;
  }
  return bytes;
}

}  // namespace

Result<ArtifactPath> ArtifactPath::parse(std::string_view text) {
  TRY(check_text(text));
  ArtifactPath path;
  for (const auto segment : split(text, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") return unsafe(text, "it holds \"..\"");
    if (path.is_root() && is_drive(segment)) return unsafe(text, "it begins with a drive letter");
    if (segment.size() > kSegmentBytesMax) {
      return unsafe(text, "a part is longer than " + std::to_string(kSegmentBytesMax) + " bytes");
    }
    path.text_ = below(path.text_, segment);
  }
  return path;
}

Result<ArtifactPath> ArtifactPath::from_uri(std::string_view uri) {
  if (!uri.starts_with(kScheme)) {
    return invalid_argument("artifact location " + quoted(uri) +
                            " is not in this server: expected mlflow-artifacts:/…");
  }
  std::string_view rest = uri.substr(kScheme.size());
  if (rest.starts_with("//")) {
    const std::size_t path = rest.find('/', 2);
    rest = path == std::string_view::npos ? std::string_view() : rest.substr(path);
  }
  while (rest.starts_with('/')) rest.remove_prefix(1);
  return parse(rest);
}

ArtifactPath ArtifactPath::parent() const {
  ArtifactPath up;
  const std::size_t slash = text_.rfind('/');
  if (slash != std::string::npos) up.text_ = text_.substr(0, slash);
  return up;
}

std::string_view ArtifactPath::file_name() const {
  const std::size_t slash = text_.rfind('/');
  return std::string_view(text_).substr(slash == std::string::npos ? 0 : slash + 1);
}

ArtifactPath ArtifactPath::operator/(const ArtifactPath& tail) const {
  ArtifactPath joined;
  joined.text_ = tail.is_root() ? text_ : below(text_, tail.text_);
  return joined;
}

Artifacts::Artifacts(sql::Database& database, blob::Store& blobs, Clock& clock)
    : database_(database), blobs_(blobs), clock_(clock) {}

Result<ArtifactFile> Artifacts::put(const Context& context, const ArtifactPath& path,
                                    const std::function<Result<void>(blob::Writer&)>& fill) {
  if (path.is_root()) return unsafe("", "a file needs a name");
  TRY(const auto writer, blobs_.create());
  TRY(fill(*writer));
  TRY(const auto committed, writer->commit());
  const ArtifactLink link{path, committed.hash, committed.size};
  TRY(this->link(context, std::span(&link, 1)));
  return ArtifactFile{path.str(), false, committed.size, committed.hash, clock_.now_ms()};
}

Result<void> Artifacts::link(const Context& context, std::span<const ArtifactLink> links) {
  return database_.transaction([&](sql::Txn& txn) -> Result<void> {
    return link_in(txn, context.workspace, links, clock_.now_ms());
  });
}

Result<void> Artifacts::link_in(sql::Txn& txn, std::string_view workspace,
                                std::span<const ArtifactLink> links, std::int64_t now_ms) {
  for (const auto& link : links) TRY(put_entry(txn, workspace, link, now_ms));
  return {};
}

Result<void> Artifacts::put_directory(const Context& context, const ArtifactPath& root,
                                      const std::filesystem::path& directory) {
  std::vector<ArtifactLink> links;
  std::error_code failed;
  std::filesystem::recursive_directory_iterator entries(directory, failed);
  for (; !failed && entries != std::filesystem::recursive_directory_iterator();
       entries.increment(failed)) {
    if (entries->is_symlink() || !entries->is_regular_file()) continue;
    TRY(const auto relative,
        ArtifactPath::parse(entries->path().lexically_relative(directory).generic_string()));
    TRY(const auto stored, blobs_.put_file(entries->path().string()));
    links.push_back({root / relative, stored.hash, stored.size});
  }
  if (failed) {
    return not_found("cannot read the directory " + quoted(directory.string()) + ": " +
                     failed.message());
  }
  return link(context, links);
}

Result<std::vector<ArtifactFile>> Artifacts::list(const Context& context,
                                                  const ArtifactPath& directory) {
  return database_.view([&](sql::Reader& reader) {
    return store::list_entries(reader, context.workspace, directory.str());
  });
}

Result<std::vector<ArtifactFile>> Artifacts::tree(const Context& context,
                                                  const ArtifactPath& directory) {
  return database_.view([&](sql::Reader& reader) -> Result<std::vector<ArtifactFile>> {
    std::vector<ArtifactFile> files;
    TRY(collect(reader, context, directory.str(), "", files));
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    return files;
  });
}

Result<ArtifactFile> Artifacts::stat(const Context& context, const ArtifactPath& path) {
  return database_.view([&](sql::Reader& reader) -> Result<ArtifactFile> {
    TRY(auto found,
        store::find_entry(reader, context.workspace, path.parent().str(), path.file_name()));
    if (!found) return no_such(path);
    found->path = path.str();
    return std::move(*found);
  });
}

Result<void> Artifacts::read(const Context& context, const ArtifactPath& path, std::uint64_t offset,
                             std::uint64_t length,
                             const std::function<Result<void>(std::string_view)>& piece) {
  TRY(const auto file, stat(context, path));
  if (file.is_directory) return no_such(path);
  return blobs_.read(file.hash, offset, length, piece);
}

Result<std::string> Artifacts::get(const Context& context, const ArtifactPath& path,
                                   std::uint64_t bytes_max) {
  TRY(const auto file, stat(context, path));
  if (file.is_directory) return no_such(path);
  return blobs_.get(file.hash, bytes_max);
}

Result<void> Artifacts::check_out(const Context& context, const ArtifactPath& root,
                                  const std::filesystem::path& directory) {
  TRY(const auto files, tree(context, root));
  if (files.empty()) return no_such(root);
  for (const auto& file : files) {
    const std::filesystem::path target = directory / file.path;
    TRY(const std::string source, blobs_.local_path(file.hash));
    std::error_code failed;
    std::filesystem::create_directories(target.parent_path(), failed);
    if (!failed) {
      std::filesystem::copy_file(source, target, std::filesystem::copy_options::overwrite_existing,
                                 failed);
    }
    if (failed) return internal("cannot write " + target.string() + ": " + failed.message());
  }
  return {};
}

Result<void> Artifacts::remove(const Context& context, const ArtifactPath& path) {
  return database_.transaction(
      [&](sql::Txn& txn) { return remove_artifacts(txn, context.workspace, path); });
}

Result<void> remove_artifacts(sql::Txn& txn, std::string_view workspace, const ArtifactPath& path) {
  if (path.is_root()) return unsafe("", "the root cannot be removed");
  const std::string parent = path.parent().str();
  TRY(const auto found, store::find_entry(txn, workspace, parent, path.file_name()));
  if (!found) return {};
  if (found->is_directory) TRY(remove_below(txn, workspace, path.str()));
  return store::remove_entry(txn, workspace, parent, path.file_name());
}

std::span<const blob::Column> blob_columns() {
  static constexpr blob::Column kColumns[] = {{"artifact_entries", "hash"}};
  return kColumns;
}

void ArtifactFolders::add(std::string_view workspace, const ArtifactPath& folder) {
  folders_.insert(std::string(workspace) + '\n' + folder.str());
}

bool ArtifactFolders::hold(std::string_view workspace, std::string_view directory) const {
  std::string key = std::string(workspace) + '\n' + std::string(directory);
  while (true) {
    if (folders_.contains(key)) return true;
    const std::size_t slash = key.rfind('/');
    if (slash == std::string::npos || slash <= workspace.size()) return false;
    key.resize(slash);
  }
}

Result<void> visit_blobs(sql::Reader& reader, const ArtifactFolders& without,
                         const std::function<Result<void>(std::string_view)>& on_hash) {
  return store::visit_files(reader,
                            [&](std::string_view workspace, std::string_view directory,
                                std::string_view hash) -> Result<void> {
                              if (!without.empty() && without.hold(workspace, directory)) return {};
                              return on_hash(hash);
                            });
}

Result<std::uint64_t> artifact_bytes(sql::Reader& reader, std::string_view workspace,
                                     const ArtifactPath& path) {
  TRY(const auto found,
      store::find_entry(reader, workspace, path.parent().str(), path.file_name()));
  if (!found) return std::uint64_t{0};
  if (!found->is_directory) return found->size;
  return bytes_below(reader, workspace, path.str());
}

}  // namespace ciclo::tracking
