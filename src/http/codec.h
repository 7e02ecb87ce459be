// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// Content codings (RFC 9110, 8.4): gzip, deflate (zlib, and the raw form that some send) and zstd
// (RFC 8878). Objects are used by one thread at a time.

namespace ciclo::http {

enum class Coding { kIdentity, kGzip, kDeflate, kZstd };

std::string_view coding_name(Coding coding);

// Of a Content-Encoding field; nullopt for what is not known here, also for several at once.
std::optional<Coding> content_coding(std::string_view value);

// The coding to answer with, of an Accept-Encoding field. Among equally welcome ones zstd comes
// first, then gzip.
Coding accepted_coding(std::string_view value);

// Whether a body of this media type shrinks: text, JSON, XML, …
bool is_compressible(std::string_view content_type);

class Decoder {
 public:
  using Piece = std::function<Result<void>(std::string_view)>;

  static std::unique_ptr<Decoder> create(Coding coding);
  virtual ~Decoder() = default;
  // Passes on what the bytes decode to, in pieces of at most 64 KiB; an error of `piece` ends it.
  // invalid_argument for bytes that are not of this coding.
  virtual Result<void> feed(std::string_view bytes, const Piece& piece) = 0;
  // invalid_argument when the end of the data has not come yet.
  virtual Result<void> finish() = 0;
};

class Encoder {
 public:
  enum class Flush { kNone, kAll, kEnd };

  static std::unique_ptr<Encoder> create(Coding coding);
  virtual ~Encoder() = default;
  // Appends to `out`. With kAll the reader can decode all bytes so far.
  virtual void write(std::string_view bytes, Flush flush, std::string& out) = 0;
};

// The whole text at once.
std::string encode(Coding coding, std::string_view bytes);

}  // namespace ciclo::http
