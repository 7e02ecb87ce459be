// SPDX-License-Identifier: Apache-2.0
#include "data/unpack.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace ciclo::data {
namespace {

constexpr std::size_t kPiece = 256 << 10;
// The end record of a zip archive lies within its comment of at most 64 KiB; the directory of one
// member before it is small.
constexpr std::uint64_t kZipTail = 256 << 10;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Result<File> open_file(const std::string& path) {
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) return file_error("open", path, errno);
  return file;
}

Result<std::string_view> read_piece(std::FILE* file, std::string& buffer, const std::string& path) {
  const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file);
  if (std::ferror(file) != 0) return file_error("read", path, errno);
  return std::string_view(buffer.data(), count);
}

Error damaged(const std::string& path, std::string_view what) {
  return invalid_argument(path + " is damaged: " + std::string(what));
}

class Limited {
 public:
  Limited(const OnPiece& piece, std::uint64_t bytes_max) : piece_(piece), left_(bytes_max) {}
  Result<bool> give(std::string_view bytes) {
    if (bytes.size() > left_) return resource_exhausted("the unpacked file is too large");
    left_ -= bytes.size();
    return bytes.empty() ? Result<bool>(true) : piece_(bytes);
  }

 private:
  const OnPiece& piece_;
  std::uint64_t left_;
};

Result<void> read_plain(const std::string& path, Limited& out) {
  TRY(const File file, open_file(path));
  std::string buffer(kPiece, '\0');
  while (true) {
    TRY(const std::string_view piece, read_piece(file.get(), buffer, path));
    if (piece.empty()) return {};
    TRY(const bool more, out.give(piece));
    if (!more) return {};
  }
}

class Inflater {
 public:
  // window_bits as zlib's inflateInit2: 31 gzip, -15 raw.
  explicit Inflater(int window_bits) { ready_ = inflateInit2(&stream_, window_bits) == Z_OK; }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // False when nothing more is wanted: after the end of the data, or when `out` says so.
  Result<bool> add(std::string_view packed, const std::string& path, Limited& out) {
    if (!ready_) return internal("cannot start zlib");
    if (ended_) {
      // A gzip file may be several streams one after the other; what else follows is padding.
      if (packing_of(packed) != Packing::kGzip) return false;
      if (inflateReset(&stream_) != Z_OK) return internal("cannot start zlib");
      ended_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      const int state = inflate(&stream_, Z_NO_FLUSH);
      if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) {
        return damaged(path, "its compressed data cannot be unpacked");
      }
      ended_ = state == Z_STREAM_END;
      TRY(const bool more, out.give({buffer_.data(), buffer_.size() - stream_.avail_out}));
      stopped_ = !more;
    } while (!stopped_ && !ended_ && stream_.avail_out == 0);
    if (stopped_) return false;
    if (!ended_ || stream_.avail_in == 0) return true;
    return add(packed.substr(packed.size() - stream_.avail_in), path, out);
  }
  bool finished() const { return ended_ || stopped_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool ended_ = false;
  bool stopped_ = false;
  std::string buffer_ = std::string(kPiece, '\0');
};

Result<void> read_gzip(const std::string& path, Limited& out) {
  TRY(const File file, open_file(path));
  Inflater inflater(31);
  std::string buffer(kPiece, '\0');
  while (true) {
    TRY(const std::string_view piece, read_piece(file.get(), buffer, path));
    if (piece.empty()) break;
    TRY(const bool more, inflater.add(piece, path, out));
    if (!more) return {};
  }
  if (!inflater.finished()) return damaged(path, "it ends too early");
  return {};
}

Result<void> read_zstd(const std::string& path, Limited& out) {
  TRY(const File file, open_file(path));
  const std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(),
                                                                          &ZSTD_freeDStream);
  std::string buffer(kPiece, '\0');
  std::string unpacked(ZSTD_DStreamOutSize(), '\0');
  std::size_t state = 0;
  while (true) {
    TRY(const std::string_view piece, read_piece(file.get(), buffer, path));
    if (piece.empty()) break;
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    while (in.pos < in.size) {
      ZSTD_outBuffer to{unpacked.data(), unpacked.size(), 0};
      state = ZSTD_decompressStream(stream.get(), &to, &in);
      if (ZSTD_isError(state) != 0) return damaged(path, "its compressed data cannot be unpacked");
      TRY(const bool more, out.give({unpacked.data(), to.pos}));
      if (!more) return {};
    }
  }
  if (state != 0) return damaged(path, "it ends too early");
  return {};
}

Result<void> read_zip(const std::string& path, Limited& out) {
  TRY(const ZipMember member, open_zip(path));
  TRY(const File file, open_file(path));
  // The local header repeats the name and has an extra field of its own length.
  std::string header(30, '\0');
  if (std::fseek(file.get(), static_cast<long>(member.header_offset), SEEK_SET) != 0 ||
      std::fread(header.data(), 1, header.size(), file.get()) != header.size() ||
      !header.starts_with("PK\3\4")) {
    return damaged(path, "its member cannot be found");
  }
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(header[at]); };
  const long skip = byte(26) + byte(27) * 256 + byte(28) + byte(29) * 256;
  if (std::fseek(file.get(), skip, SEEK_CUR) != 0)
    return damaged(path, "its member cannot be found");
  Inflater inflater(-15);
  std::string buffer(kPiece, '\0');
  std::uint64_t left = member.packed_bytes;
  while (left > 0) {
    buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)));
    TRY(const std::string_view piece, read_piece(file.get(), buffer, path));
    if (piece.empty()) return damaged(path, "it ends too early");
    left -= piece.size();
    TRY(const bool more, member.method == 0 ? out.give(piece) : inflater.add(piece, path, out));
    if (!more) return {};
  }
  if (member.method == 8 && !inflater.finished()) return damaged(path, "it ends too early");
  return {};
}

// Little-endian numbers of a zip record.
class Record {
 public:
  explicit Record(std::string_view bytes) : bytes_(bytes) {}
  std::uint32_t u16(std::size_t at) const { return byte(at) | byte(at + 1) << 8; }
  std::uint32_t u32(std::size_t at) const { return u16(at) | u16(at + 2) << 16; }
  std::string_view text(std::size_t at, std::size_t size) const { return bytes_.substr(at, size); }

 private:
  std::uint32_t byte(std::size_t at) const { return static_cast<unsigned char>(bytes_[at]); }
  std::string_view bytes_;
};

void append_utf8(std::uint32_t code, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

}  // namespace

Packing packing_of(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return Packing::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Packing::kZstd;
  if (head.starts_with("PK\3\4") || head.starts_with("PK\5\6")) return Packing::kZip;
  return Packing::kNone;
}

Result<void> unpack(const std::string& path, const OnPiece& piece, std::uint64_t bytes_max) {
  std::string start(4, '\0');
  {
    TRY(const File file, open_file(path));
    TRY(const std::string_view head, read_piece(file.get(), start, path));
    start.resize(head.size());
  }
  Limited out(piece, bytes_max);
  switch (packing_of(start)) {
    case Packing::kGzip: return read_gzip(path, out);
    case Packing::kZstd: return read_zstd(path, out);
    case Packing::kZip: return read_zip(path, out);
    case Packing::kNone: break;
  }
  return read_plain(path, out);
}

Result<Head> read_head(const std::string& path, std::size_t bytes_max) {
  Head head;
  head.complete = true;
  TRY(unpack(path, [&](std::string_view piece) -> Result<bool> {
    head.bytes += piece.substr(0, bytes_max - head.bytes.size());
    if (head.bytes.size() < bytes_max) return true;
    head.complete = false;
    return false;
  }));
  return head;
}

Result<ZipMember> find_zip_member(std::string_view tail, std::uint64_t file_bytes) {
  const auto end = tail.rfind("PK\5\6");
  if (end == tail.npos || tail.size() - end < 22) {
    return invalid_argument("the zip archive has no directory; is it complete?");
  }
  const Record last(tail.substr(end));
  const std::uint64_t tail_start = file_bytes - tail.size();
  const std::uint64_t directory = last.u32(16);
  if (directory < tail_start || directory - tail_start > end) {
    return invalid_argument(
        "the zip archive has too many members or is damaged; expected one member");
  }
  std::string_view rest = tail.substr(static_cast<std::size_t>(directory - tail_start),
                                      end - static_cast<std::size_t>(directory - tail_start));
  std::optional<ZipMember> found;
  while (rest.size() >= 46 && rest.starts_with("PK\1\2")) {
    const Record entry(rest);
    const std::size_t name_size = entry.u16(28);
    const std::size_t size = 46 + name_size + entry.u16(30) + entry.u16(32);
    if (size > rest.size()) return invalid_argument("the directory of the zip archive is damaged");
    const std::string_view name = entry.text(46, name_size);
    rest.remove_prefix(size);
    const std::string_view base =
        name.substr(name.rfind('/') == name.npos ? 0 : name.rfind('/') + 1);
    if (name.ends_with('/') || name.starts_with("__MACOSX/") || base.starts_with('.')) continue;
    if (found) {
      return invalid_argument(
          "the zip archive has more than one member: " + ciclo::quoted(found->name) + ", " +
          quoted(name) + "; expected one table");
    }
    found = ZipMember{std::string(name), static_cast<std::uint16_t>(entry.u16(10)), entry.u32(42),
                      entry.u32(20), entry.u32(24)};
    if ((entry.u16(8) & 1) != 0) return invalid_argument("the zip archive is encrypted");
    if (found->method != 0 && found->method != 8) {
      return invalid_argument("the zip archive uses compression method " +
                              std::to_string(found->method) + "; known are stored and deflated");
    }
    if (found->packed_bytes == 0xffffffff || found->bytes == 0xffffffff ||
        found->header_offset == 0xffffffff) {
      return invalid_argument("zip archives beyond 4 GiB are not read; use gzip or zstd");
    }
  }
  if (!found) return invalid_argument("the zip archive has no member");
  return *found;
}

Result<ZipMember> open_zip(const std::string& path) {
  TRY(const File file, open_file(path));
  if (std::fseek(file.get(), 0, SEEK_END) != 0) return file_error("read", path, errno);
  const auto size = static_cast<std::uint64_t>(std::ftell(file.get()));
  std::string tail(static_cast<std::size_t>(std::min(size, kZipTail)), '\0');
  if (std::fseek(file.get(), static_cast<long>(size - tail.size()), SEEK_SET) != 0 ||
      std::fread(tail.data(), 1, tail.size(), file.get()) != tail.size()) {
    return file_error("read", path, errno);
  }
  auto member = find_zip_member(tail, size);
  if (!member.ok()) return member.error().with_context(path);
  return member;
}

Result<Transcoder::From> Transcoder::find(std::string_view name, std::string_view head) {
  const bool big = head.starts_with("\xfe\xff");
  const bool little = head.starts_with("\xff\xfe");
  if (name == "utf-16") return big ? From::kUtf16Big : From::kUtf16Little;
  if (name == "latin-1") return From::kLatin1;
  if (name == "utf-8") return From::kUtf8;
  if (!name.empty()) {
    return invalid_argument("encoding must be utf-8, utf-16 or latin-1, got " + quoted(name));
  }
  return big ? From::kUtf16Big : little ? From::kUtf16Little : From::kUtf8;
}

void Transcoder::add_unit(std::uint32_t unit, std::string& out) {
  const bool low = unit >= 0xdc00 && unit < 0xe000;
  if (high_surrogate_ != 0) {
    const std::uint32_t high = std::exchange(high_surrogate_, 0);
    if (low) return append_utf8(0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00), out);
    append_utf8(0xfffd, out);
  } else if (low) {
    return append_utf8(0xfffd, out);
  }
  if (unit >= 0xd800 && unit < 0xdc00) {
    high_surrogate_ = unit;
  } else if (unit != 0xfeff || started_) {
    append_utf8(unit, out);
  }
  started_ = true;
}

std::string Transcoder::add(std::string_view piece) {
  std::string out;
  if (from_ == From::kLatin1) {
    for (const char c : piece) append_utf8(static_cast<unsigned char>(c), out);
    return out;
  }
  if (from_ == From::kUtf8) {
    waiting_ += piece;
    if (!started_ && waiting_.size() < 3 && std::string_view("\xef\xbb\xbf").starts_with(waiting_))
      return out;
    if (!started_ && waiting_.starts_with("\xef\xbb\xbf")) waiting_.erase(0, 3);
    started_ = true;
    return std::exchange(waiting_, {});
  }
  waiting_ += piece;
  const bool big = from_ == From::kUtf16Big;
  std::size_t at = 0;
  for (; at + 1 < waiting_.size(); at += 2) {
    const auto first = static_cast<unsigned char>(waiting_[at]);
    const auto second = static_cast<unsigned char>(waiting_[at + 1]);
    add_unit(big ? first * 256U + second : second * 256U + first, out);
  }
  waiting_.erase(0, at);
  return out;
}

}  // namespace ciclo::data
