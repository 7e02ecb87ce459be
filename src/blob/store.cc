// SPDX-License-Identifier: Apache-2.0
#include "blob/store.h"

#include <limits>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "blob/open.h"
#include "blob/remote.h"
#include "blob/s3.h"

namespace ciclo::blob {

Result<Writer::Committed> Store::put(std::string_view bytes) {
  TRY(const auto writer, create());
  TRY(writer->write(bytes));
  return writer->commit();
}

Result<Writer::Committed> Store::put_file(const std::string& path) {
  TRY(const auto writer, create());
  TRY(read_file_in_pieces(path, [&](std::string_view piece) { return writer->write(piece); }));
  return writer->commit();
}

Result<std::string> Store::get(const Hash& hash, std::uint64_t bytes_max) {
  std::string value;
  bool is_too_large = false;
  const auto got = read(hash, 0, std::numeric_limits<std::uint64_t>::max(),
                        [&](std::string_view piece) -> Result<void> {
                          is_too_large = value.size() + piece.size() > bytes_max;
                          if (is_too_large) return resource_exhausted("too large");
                          value.append(piece);
                          return {};
                        });
  if (is_too_large) {
    TRY(const std::uint64_t bytes, size(hash));
    return resource_exhausted("blob " + hash + " has " + std::to_string(bytes) +
                              " bytes, more than the " + std::to_string(bytes_max) +
                              " that may be held in memory");
  }
  if (!got.ok()) return got.error();
  return value;
}

Remote* remote_of(Store& store) { return dynamic_cast<Remote*>(&store); }

Result<std::unique_ptr<Store>> open(std::string_view url) { return open(url, OpenOptions()); }

Result<std::unique_ptr<Store>> open(std::string_view url, const OpenOptions& options) {
  constexpr std::string_view kFile = "file:";
  if (url.starts_with(kFile) && url.size() > kFile.size()) {
    return open_local(std::string(url.substr(kFile.size())));
  }
  if (url.starts_with("s3:")) return open_s3(url, options);
  return invalid_argument("blob store " + ciclo::quoted(url) +
                          ": expected file:DIRECTORY or s3://BUCKET/PREFIX");
}

}  // namespace ciclo::blob
