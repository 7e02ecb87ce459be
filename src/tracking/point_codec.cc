// SPDX-License-Identifier: Apache-2.0
#include "tracking/point_codec.h"

#include <zstd.h>

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace ciclo::tracking {
namespace {

constexpr char kVersion = 1;
constexpr char kPlain = 0;
constexpr char kZstd = 1;
// Higher levels gain next to nothing on these columns and cost several times as much.
constexpr int kZstdLevel = 1;
constexpr std::size_t kSealBytes = 8;
constexpr std::size_t kVarintBytesMax = 10;
constexpr std::size_t kValueBytes = sizeof(double);

Error damaged(std::string_view what) {
  return data_loss("a chunk of a metric's history is damaged: " + std::string(what));
}

void put_varint(std::string& out, std::uint64_t number) {
  while (number >= 0x80) {
    out += static_cast<char>(number | 0x80);
    number >>= 7;
  }
  out += static_cast<char>(number);
}

// Takes parts from the front of bytes; nullopt where they end too early.
class Taker {
 public:
  explicit Taker(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::uint64_t> varint() {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < kVarintBytesMax && i < bytes_.size(); ++i) {
      const auto byte = static_cast<std::uint8_t>(bytes_[i]);
      number |= std::uint64_t{byte & 0x7fU} << (7 * i);
      if (byte < 0x80) {
        bytes_.remove_prefix(i + 1);
        return number;
      }
    }
    return std::nullopt;
  }

  std::optional<char> byte() {
    if (bytes_.empty()) return std::nullopt;
    const char first = bytes_.front();
    bytes_.remove_prefix(1);
    return first;
  }

  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

std::uint64_t zigzag(std::uint64_t number) {
  return (number << 1) ^ (std::uint64_t{0} - (number >> 63));
}
std::uint64_t unzigzag(std::uint64_t number) {
  return (number >> 1) ^ (std::uint64_t{0} - (number & 1));
}

// Unsigned, because differences of any two int64 must wrap without being undefined.
void put_column(std::string& out, std::span<const Point> points, std::int64_t Point::*column) {
  std::uint64_t before = 0;
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto number = static_cast<std::uint64_t>(points[i].*column);
    const std::uint64_t change = number - before;
    put_varint(out, zigzag(i == 0 ? change : change - difference));
    difference = i == 0 ? 0 : change;
    before = number;
  }
}

bool take_column(Taker& taker, std::span<Point> points, std::int64_t Point::*column) {
  std::uint64_t number = 0;
  std::uint64_t difference = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto coded = taker.varint();
    if (!coded) return false;
    if (i == 0) {
      number = unzigzag(*coded);
    } else {
      difference += unzigzag(*coded);
      number += difference;
    }
    points[i].*column = static_cast<std::int64_t>(number);
  }
  return true;
}

std::uint64_t bits_of(const Point& point) {
  return std::bit_cast<std::uint64_t>(point.is_nan ? std::numeric_limits<double>::quiet_NaN()
                                                   : point.value);
}

void put_values(std::string& out, std::span<const Point> points) {
  const std::size_t start = out.size();
  const std::size_t count = points.size();
  out.resize(start + count * kValueBytes);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t bits = bits_of(points[i]);
    for (std::size_t plane = 0; plane < kValueBytes; ++plane) {
      out[start + plane * count + i] = static_cast<char>(bits >> (56 - 8 * plane));
    }
  }
}

// `bytes` holds exactly the values of the points.
void take_values(std::string_view bytes, std::span<Point> points) {
  const std::size_t count = points.size();
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits = 0;
    for (std::size_t plane = 0; plane < kValueBytes; ++plane) {
      bits = (bits << 8) | static_cast<std::uint8_t>(bytes[plane * count + i]);
    }
    const double value = std::bit_cast<double>(bits);
    points[i].is_nan = std::isnan(value);
    points[i].value = points[i].is_nan ? 0 : value;
  }
}

std::string body_of(std::span<const Point> points) {
  std::string body;
  body.reserve(points.size() * (kValueBytes + 4));
  put_column(body, points, &Point::timestamp_ms);
  put_column(body, points, &Point::step);
  put_values(body, points);
  return body;
}

Result<std::vector<Point>> points_of(std::string_view body, std::size_t count) {
  std::vector<Point> points(count);
  Taker taker(body);
  if (!take_column(taker, points, &Point::timestamp_ms) ||
      !take_column(taker, points, &Point::step)) {
    return damaged("its numbers end too early");
  }
  if (taker.rest().size() != count * kValueBytes) return damaged("its values have a wrong length");
  take_values(taker.rest(), points);
  return points;
}

}  // namespace

std::string seal_of(std::string_view bytes) { return hash_bytes(bytes).substr(0, kSealBytes); }

struct PointCodec::Contexts {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> compression{ZSTD_createCCtx()};
  std::unique_ptr<ZSTD_DCtx, Free> decompression{ZSTD_createDCtx()};

  // Empty where the packed body is not shorter.
  std::string packed(std::string_view body) {
    std::string out(ZSTD_compressBound(body.size()), '\0');
    const std::size_t size = ZSTD_compressCCtx(compression.get(), out.data(), out.size(),
                                               body.data(), body.size(), kZstdLevel);
    if (ZSTD_isError(size) != 0 || size >= body.size()) return {};
    out.resize(size);
    return out;
  }

  Result<std::string> unpacked(std::string_view bytes, std::size_t size) {
    std::string body(size, '\0');
    const std::size_t got =
        ZSTD_decompressDCtx(decompression.get(), body.data(), size, bytes.data(), bytes.size());
    if (ZSTD_isError(got) != 0) return damaged("its body cannot be unpacked");
    if (got != size) return damaged("its body has a wrong length");
    return body;
  }
};

PointCodec::PointCodec() = default;
PointCodec::~PointCodec() = default;
PointCodec::PointCodec(PointCodec&&) noexcept = default;
PointCodec& PointCodec::operator=(PointCodec&&) noexcept = default;

PointCodec::Contexts& PointCodec::contexts() {
  if (!contexts_) contexts_ = std::make_unique<Contexts>();
  return *contexts_;
}

std::string PointCodec::encode(std::span<const Point> points) {
  CHECK(points.size() <= kEncodedPointsMax);
  const std::string body = body_of(points);
  const std::string short_body = contexts().packed(body);
  std::string out = {kVersion, short_body.empty() ? kPlain : kZstd};
  put_varint(out, points.size());
  if (!short_body.empty()) put_varint(out, body.size());
  out += short_body.empty() ? body : short_body;
  out += seal_of(out);
  return out;
}

Result<std::vector<Point>> PointCodec::decode(std::string_view bytes) {
  if (bytes.size() < kSealBytes) return damaged("it ends too early");
  const std::string_view sealed = bytes.substr(0, bytes.size() - kSealBytes);
  if (bytes.substr(sealed.size()) != seal_of(sealed)) return damaged("its hash differs");
  Taker taker(sealed);
  const auto version = taker.byte();
  const auto packing = taker.byte();
  const auto count = taker.varint();
  if (version != kVersion) return damaged("its version is unknown");
  // NOLINTNEXTLINE(misc-redundant-expression): the two constants differ.
  if (packing != kPlain && packing != kZstd) return damaged("its packing is unknown");
  if (!count || *count > kEncodedPointsMax) return damaged("its number of points is wrong");
  if (packing == kPlain) return points_of(taker.rest(), *count);
  const auto size = taker.varint();
  if (!size || *size > *count * (2 * kVarintBytesMax + kValueBytes)) {
    return damaged("its body has a wrong length");
  }
  TRY(const std::string body, contexts().unpacked(taker.rest(), *size));
  return points_of(body, *count);
}

}  // namespace ciclo::tracking
