// SPDX-License-Identifier: Apache-2.0
#include "blob/store.h"

#include <limits>
#include <utility>

#include "base/file.h"
#include "base/text.h"

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
  TRY(const std::uint64_t bytes, size(hash));
  if (bytes > bytes_max) {
    return resource_exhausted("blob " + hash + " has " + std::to_string(bytes) +
                              " bytes, more than the " + std::to_string(bytes_max) +
                              " that may be held in memory");
  }
  std::string value;
  value.reserve(bytes);
  TRY(read(hash, 0, std::numeric_limits<std::uint64_t>::max(),
           [&](std::string_view piece) -> Result<void> {
             value.append(piece);
             return {};
           }));
  return value;
}

Result<std::unique_ptr<Store>> open(std::string_view url) {
  constexpr std::string_view kFile = "file:";
  if (url.starts_with(kFile) && url.size() > kFile.size()) {
    return open_local(std::string(url.substr(kFile.size())));
  }
  return invalid_argument("blob store " + ciclo::quoted(url) + ": expected file:DIRECTORY");
}

}  // namespace ciclo::blob
