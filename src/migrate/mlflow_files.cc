// SPDX-License-Identifier: Apache-2.0
#include "migrate/mlflow_files.h"

#include <algorithm>
#include <system_error>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"

namespace ciclo::migrate {

namespace fs = std::filesystem;

namespace {

constexpr const char* kMeta = "meta.yaml";
// MLflow takes values of some thousand characters; a line of a metric is shorter still.
constexpr std::size_t kValueBytesMax = 16 << 20;
constexpr std::size_t kLineBytesMax = 64 << 10;

Error cannot_read(const fs::path& path, const std::error_code& failed) {
  return failed_precondition("cannot read " + quoted(path.string()) + ": " + failed.message());
}

// The kind of an entry, which is no link.
Result<fs::file_type> type_of(const fs::path& path) {
  std::error_code failed;
  const auto status = fs::symlink_status(path, failed);
  if (status.type() == fs::file_type::not_found) return fs::file_type::not_found;
  if (failed) return cannot_read(path, failed);
  if (fs::is_symlink(status)) {
    return failed_precondition(quoted(path.string()) +
                               " is a symbolic link, which is not followed: put in its place what "
                               "it leads to");
  }
  return status.type();
}

Result<void> collect_keys(const fs::path& folder, const std::string& prefix,
                          std::vector<std::string>& keys) {
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed); !failed && entry != fs::directory_iterator();
       entry.increment(failed)) {
    TRY(const auto type, type_of(entry->path()));
    const std::string key = prefix + entry->path().filename().string();
    if (type == fs::file_type::directory) {
      TRY(collect_keys(entry->path(), key + "/", keys));
    } else if (type == fs::file_type::regular) {
      keys.push_back(key);
    }
  }
  if (failed) return cannot_read(folder, failed);
  return {};
}

}  // namespace

Result<std::optional<MetaFile>> MetaFile::read(const fs::path& folder) {
  using Found = std::optional<MetaFile>;
  MetaFile meta;
  meta.path_ = folder / kMeta;
  TRY(const auto type, type_of(meta.path_));
  if (type != fs::file_type::regular) return Found();
  auto document = yaml::read_file(meta.path_, {.bytes_max = 64 << 20}, yaml::Scalars::kTexts);
  if (!document.ok()) return failed_precondition(document.error().message);
  if (!document->is_object()) {
    return failed_precondition(quoted(meta.path_.string()) + " holds no mapping, as MLflow writes");
  }
  meta.document_ = std::move(document).value();
  return Found(std::move(meta));
}

std::optional<std::string> MetaFile::optional_text(std::string_view key) const {
  const json::Value* value = document_.find(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->string();
}

std::string MetaFile::text(std::string_view key) const { return optional_text(key).value_or(""); }

Result<std::optional<std::int64_t>> MetaFile::optional_number(std::string_view key) const {
  using Found = std::optional<std::int64_t>;
  const auto text = optional_text(key);
  if (!text) return Found();
  const auto number = parse_int(*text);
  if (number) return Found(*number);
  return failed_precondition(quoted(path_.string()) + ": " + std::string(key) +
                             " must be a whole number, got " + quoted(*text));
}

Result<std::int64_t> MetaFile::number(std::string_view key) const {
  TRY(const auto found, optional_number(key));
  return found.value_or(0);
}

std::vector<std::pair<std::string, std::string>> MetaFile::pairs(std::string_view key) const {
  std::vector<std::pair<std::string, std::string>> found;
  const json::Value* value = document_.find(key);
  if (value == nullptr || !value->is_object()) return found;
  for (const auto& [name, one] : value->members()) {
    found.emplace_back(name, one.is_string() ? one.string() : "");
  }
  return found;
}

Result<std::vector<std::string>> subfolders(const fs::path& folder) {
  std::vector<std::string> names;
  TRY(const auto type, type_of(folder));
  if (type != fs::file_type::directory) return names;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed); !failed && entry != fs::directory_iterator();
       entry.increment(failed)) {
    TRY(const auto kind, type_of(entry->path()));
    if (kind == fs::file_type::directory) names.push_back(entry->path().filename().string());
  }
  if (failed) return cannot_read(folder, failed);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<std::string>> keys_in(const fs::path& folder) {
  std::vector<std::string> keys;
  TRY(const auto type, type_of(folder));
  if (type != fs::file_type::directory) return keys;
  TRY(collect_keys(folder, "", keys));
  std::sort(keys.begin(), keys.end());
  return keys;
}

Result<std::vector<std::pair<std::string, std::string>>> values_in(const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> found;
  TRY(const auto keys, keys_in(folder));
  for (const auto& key : keys) {
    TRY(auto value, read_file(folder / key, kValueBytesMax));
    found.emplace_back(key, std::move(value));
  }
  return found;
}

Result<void> each_line(const fs::path& file,
                       const std::function<Result<void>(std::string_view)>& on_line) {
  std::string rest;  // of a line that goes on in the next piece
  TRY(read_file_in_pieces(file, [&](std::string_view piece) -> Result<void> {
    while (true) {
      const std::size_t end = piece.find('\n');
      rest += piece.substr(0, end);
      if (rest.size() > kLineBytesMax) {
        return failed_precondition(quoted(file.string()) + " has a line of more than " +
                                   std::to_string(kLineBytesMax) + " bytes");
      }
      if (end == std::string_view::npos) return {};
      TRY(on_line(rest));
      rest.clear();
      piece.remove_prefix(end + 1);
    }
  }));
  if (rest.empty()) return {};
  return on_line(rest);
}

}  // namespace ciclo::migrate
