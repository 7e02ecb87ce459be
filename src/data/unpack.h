// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// The bytes of a file as they were before it was compressed (gzip, zstd, or a zip archive with one
// member), in UTF-8. Streams; nothing is held whole in memory.

namespace ciclo::data {

enum class Packing { kNone, kGzip, kZstd, kZip };

// By the first bytes of the file.
Packing packing_of(std::string_view head);

// One pass over the unpacked bytes, piece by piece; `piece` returns false to stop. invalid_argument
// when the file is damaged, resource_exhausted beyond `bytes_max` unpacked.
using OnPiece = std::function<Result<bool>(std::string_view)>;
Result<void> unpack(const std::string& path, const OnPiece& piece,
                    std::uint64_t bytes_max = std::uint64_t{64} << 30);

// The first unpacked bytes.
struct Head {
  std::string bytes;
  bool complete = false;  // they are all
};
Result<Head> read_head(const std::string& path, std::size_t bytes_max);

// The member of a zip archive (APPNOTE 6.3.10, without Zip64 and encryption) from the last bytes of
// the file.
struct ZipMember {
  std::string name;
  std::uint16_t method = 0;         // 0 stored, 8 deflated
  std::uint64_t header_offset = 0;  // of its local header in the file
  std::uint64_t packed_bytes = 0;
  std::uint64_t bytes = 0;
};
// invalid_argument unless there is exactly one file that can be read; folders and names that begin
// with
// "__MACOSX/" or "." do not count.
Result<ZipMember> find_zip_member(std::string_view tail, std::uint64_t file_bytes);
// The name of the only member of the archive.
Result<ZipMember> open_zip(const std::string& path);

// Turns text into UTF-8 piece by piece and drops a byte order mark.
class Transcoder {
 public:
  enum class From { kUtf8, kUtf16Little, kUtf16Big, kLatin1 };
  explicit Transcoder(From from) : from_(from) {}
  // Half a character at the end waits for the next piece. A lone surrogate becomes U+FFFD.
  std::string add(std::string_view piece);
  // An encoding by name (utf-8, utf-16, latin-1), or by the byte order mark when empty.
  static Result<From> find(std::string_view name, std::string_view head);

 private:
  void add_unit(std::uint32_t unit, std::string& out);

  From from_;
  std::string waiting_;
  std::uint32_t high_surrogate_ = 0;
  bool started_ = false;
};

}  // namespace ciclo::data
