// SPDX-License-Identifier: Apache-2.0
#include "http/codec.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace ciclo::http {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr int kZlibLevel = 5;
constexpr int kZstdLevel = 3;
// 8 MiB, the most that RFC 8878 lets a decoder be asked for; more would be a cheap way to take
// memory.
constexpr int kZstdWindowLogMax = 23;

Error broken(Coding coding) {
  return invalid_argument("the body is not valid " + std::string(coding_name(coding)));
}

Error cut_off(Coding coding) {
  return invalid_argument("the " + std::string(coding_name(coding)) + " body ends before its end");
}

unsigned char* as_bytes(char* text) { return reinterpret_cast<unsigned char*>(text); }

// zlib reads through a pointer that is not const.
unsigned char* as_input(std::string_view text) { return as_bytes(const_cast<char*>(text.data())); }

class ZlibDecoder : public Decoder {
 public:
  explicit ZlibDecoder(Coding coding) : coding_(coding) {}
  ~ZlibDecoder() override {
    if (started_) inflateEnd(&stream_);
  }
  ZlibDecoder(const ZlibDecoder&) = delete;
  ZlibDecoder& operator=(const ZlibDecoder&) = delete;

  Result<void> feed(std::string_view bytes, const Piece& piece) override {
    if (bytes.empty()) return {};
    if (!started_) start(bytes.front());
    CHECK(bytes.size() <= std::numeric_limits<uInt>::max());
    stream_.next_in = as_input(bytes);
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      if (ended_) {
        // A gzip body may have several members (RFC 1952, 2.2).
        if (stream_.avail_in == 0) return {};
        if (coding_ != Coding::kGzip) return broken(coding_);
        if (inflateReset(&stream_) != Z_OK) return broken(coding_);
        ended_ = false;
      }
      stream_.next_out = as_bytes(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return broken(coding_);
      ended_ = status == Z_STREAM_END;
      const std::size_t made = buffer_.size() - stream_.avail_out;
      if (made > 0) TRY(piece(std::string_view(buffer_.data(), made)));
    } while (stream_.avail_in > 0 || stream_.avail_out == 0);
    return {};
  }

  Result<void> finish() override {
    if (!ended_) return cut_off(coding_);
    return {};
  }

 private:
  void start(char first) {
    // "deflate" means the zlib format; some send the bare one. 0x?8 opens the former.
    const auto byte = static_cast<unsigned char>(first);
    const bool zlib_format = (byte & 15) == 8 && (byte >> 4) <= 7;
    const int window_bits = coding_ == Coding::kGzip ? 15 + 16 : zlib_format ? 15 : -15;
    started_ = inflateInit2(&stream_, window_bits) == Z_OK;
    CHECK(started_);
  }

  const Coding coding_;
  z_stream stream_{};
  std::vector<char> buffer_ = std::vector<char>(kPieceBytes);
  bool started_ = false;
  bool ended_ = false;
};

class ZstdDecoder : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx(), &ZSTD_freeDCtx) {
    CHECK(context_ != nullptr);
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }

  Result<void> feed(std::string_view bytes, const Piece& piece) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    bool full = false;
    while (in.pos < in.size || full) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const std::size_t hint = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(hint) != 0) return broken(Coding::kZstd);
      ended_ = hint == 0;
      full = out.pos == out.size && !ended_;
      if (out.pos > 0) TRY(piece(std::string_view(buffer_.data(), out.pos)));
    }
    return {};
  }

  Result<void> finish() override {
    if (!ended_) return cut_off(Coding::kZstd);
    return {};
  }

 private:
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
  std::vector<char> buffer_ = std::vector<char>(kPieceBytes);
  bool ended_ = false;
};

class IdentityDecoder : public Decoder {
 public:
  Result<void> feed(std::string_view bytes, const Piece& piece) override { return piece(bytes); }
  Result<void> finish() override { return {}; }
};

class ZlibEncoder : public Encoder {
 public:
  explicit ZlibEncoder(Coding coding) {
    const int window_bits = coding == Coding::kGzip ? 15 + 16 : 15;
    const int status =
        deflateInit2(&stream_, kZlibLevel, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    CHECK(status == Z_OK);
  }
  ~ZlibEncoder() override { deflateEnd(&stream_); }
  ZlibEncoder(const ZlibEncoder&) = delete;
  ZlibEncoder& operator=(const ZlibEncoder&) = delete;

  void write(std::string_view bytes, Flush flush, std::string& out) override {
    CHECK(bytes.size() <= std::numeric_limits<uInt>::max());
    stream_.next_in = as_input(bytes);
    stream_.avail_in = static_cast<uInt>(bytes.size());
    const int mode = flush == Flush::kEnd   ? Z_FINISH
                     : flush == Flush::kAll ? Z_SYNC_FLUSH
                                            : Z_NO_FLUSH;
    do {
      const std::size_t before = out.size();
      out.resize(before + 16384);
      stream_.next_out = as_bytes(out.data() + before);
      stream_.avail_out = 16384;
      deflate(&stream_, mode);
      out.resize(before + 16384 - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class ZstdEncoder : public Encoder {
 public:
  ZstdEncoder() : context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
    CHECK(context_ != nullptr);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
  }

  void write(std::string_view bytes, Flush flush, std::string& out) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    const auto mode = flush == Flush::kEnd   ? ZSTD_e_end
                      : flush == Flush::kAll ? ZSTD_e_flush
                                             : ZSTD_e_continue;
    std::size_t left = 0;
    do {
      const std::size_t before = out.size();
      out.resize(before + 16384);
      ZSTD_outBuffer target{out.data() + before, 16384, 0};
      left = ZSTD_compressStream2(context_.get(), &target, &in, mode);
      CHECK(ZSTD_isError(left) == 0);
      out.resize(before + target.pos);
    } while (mode == ZSTD_e_continue ? in.pos < in.size : left > 0);
  }

 private:
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_;
};

// The weight of one list element, "gzip;q=0.5".
double weight(std::string_view parameters) {
  for (const auto part : split(parameters, ';')) {
    const auto text = trim(part);
    if (text.starts_with("q=") || text.starts_with("Q="))
      return parse_double(text.substr(2)).value_or(0);
  }
  return 1;
}

}  // namespace

std::string_view coding_name(Coding coding) {
  constexpr std::array<std::string_view, 4> kNames = {"identity", "gzip", "deflate", "zstd"};
  return kNames[static_cast<std::size_t>(coding)];
}

std::optional<Coding> content_coding(std::string_view value) {
  const std::string name = to_lower_ascii(trim(value));
  if (name.empty() || name == "identity") return Coding::kIdentity;
  if (name == "gzip" || name == "x-gzip") return Coding::kGzip;
  if (name == "deflate") return Coding::kDeflate;
  if (name == "zstd") return Coding::kZstd;
  return std::nullopt;
}

Coding accepted_coding(std::string_view value) {
  if (value.empty()) return Coding::kIdentity;
  constexpr std::array kPreferred = {Coding::kZstd, Coding::kGzip, Coding::kDeflate};
  std::array<std::optional<double>, 4> weights;
  std::optional<double> others;
  for (const auto element : split(value, ',')) {
    const auto name = trim(element.substr(0, element.find(';')));
    const double q = weight(element.substr(std::min(name.size(), element.size())));
    if (name == "*") {
      others = q;
    } else if (const auto coding = content_coding(name); coding && !name.empty()) {
      weights[static_cast<std::size_t>(*coding)] = q;
    }
  }
  Coding best = Coding::kIdentity;
  double best_weight = 0;
  for (const auto coding : kPreferred) {
    const double q = weights[static_cast<std::size_t>(coding)].value_or(others.value_or(0));
    if (q > best_weight) {
      best = coding;
      best_weight = q;
    }
  }
  return best;
}

bool is_compressible(std::string_view content_type) {
  const std::string type = to_lower_ascii(trim(content_type.substr(0, content_type.find(';'))));
  if (type.starts_with("text/")) return type != "text/event-stream";
  if (type.ends_with("+json") || type.ends_with("+xml")) return true;
  constexpr std::array<std::string_view, 9> kTypes = {
      "application/json",       "application/x-ndjson", "application/jsonl",
      "application/javascript", "application/xml",      "application/yaml",
      "application/x-yaml",     "application/wasm",     "image/svg+xml"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

std::unique_ptr<Decoder> Decoder::create(Coding coding) {
  if (coding == Coding::kZstd) return std::make_unique<ZstdDecoder>();
  if (coding == Coding::kIdentity) return std::make_unique<IdentityDecoder>();
  return std::make_unique<ZlibDecoder>(coding);
}

std::unique_ptr<Encoder> Encoder::create(Coding coding) {
  CHECK(coding != Coding::kIdentity);
  if (coding == Coding::kZstd) return std::make_unique<ZstdEncoder>();
  return std::make_unique<ZlibEncoder>(coding);
}

std::string encode(Coding coding, std::string_view bytes) {
  std::string out;
  Encoder::create(coding)->write(bytes, Encoder::Flush::kEnd, out);
  return out;
}

}  // namespace ciclo::http
