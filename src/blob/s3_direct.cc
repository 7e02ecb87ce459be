// SPDX-License-Identifier: Apache-2.0
#include "blob/s3_direct.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <vector>

#include "base/hash.h"
#include "base/text.h"
#include "blob/files.h"

namespace ciclo::blob {
namespace {

constexpr std::int64_t kPartsMax = 10'000;
constexpr std::int64_t kPartUrlSeconds = 3'600;  // as boto3's are
constexpr std::int64_t kUrlSecondsMax = 604'800;
constexpr std::size_t kTokenDigits = 32;

Error unknown_upload(std::string_view id) {
  return not_found("upload " + ciclo::quoted(id) +
                   " is not known here: it was never begun, was aborted, or is over");
}

bool is_token(std::string_view text) {
  return text.size() == kTokenDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// RFC 6266 and 5987: any name, as a browser shows it.
std::string disposition(std::string_view file_name) {
  return "attachment; filename*=UTF-8''" + uri_encode(file_name, Slash::kEncode);
}

}  // namespace

std::string S3Direct::key_of(std::string_view purpose, std::string_view token) const {
  return prefix_ + "uploads/" + std::string(token) + "-" + hash_bytes(purpose).substr(0, 32);
}

Result<S3Direct::Place> S3Direct::place_of(std::string_view purpose, std::string_view id) const {
  const std::size_t dot = std::min(id.find('.'), id.size());
  const std::string_view token = id.substr(0, dot);
  if (!is_token(token) || dot + 1 >= id.size()) return unknown_upload(id);
  return Place{key_of(purpose, token), std::string(id.substr(dot + 1))};
}

Result<Direct::Upload> S3Direct::begin(std::string_view purpose, std::int64_t parts) {
  if (parts < 1 || parts > kPartsMax) {
    return invalid_argument("an upload has 1 to " + std::to_string(kPartsMax) + " parts, got " +
                            std::to_string(parts));
  }
  std::array<char, kTokenDigits + 1> token{};
  std::snprintf(token.data(), token.size(), "%016llx%016llx",
                static_cast<unsigned long long>(random_.next()),
                static_cast<unsigned long long>(random_.next()));
  const std::string key = key_of(purpose, token.data());
  TRY(const std::string upload, parts_.begin(key));
  Upload begun{std::string(token.data()) + "." + upload, {}};
  for (std::int64_t number = 1; number <= parts; ++number) {
    begun.part_urls.push_back(
        client_.presign({.method = "PUT",
                         .key = key,
                         .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}}},
                        kPartUrlSeconds));
  }
  return begun;
}

Result<Writer::Committed> S3Direct::complete(std::string_view purpose, std::string_view id,
                                             std::span<const Part> parts) {
  TRY(const Place place, place_of(purpose, id));
  std::vector<Part> ordered(parts.begin(), parts.end());
  std::ranges::sort(ordered, {}, &Part::number);
  std::vector<std::string> tags;
  for (const Part& part : ordered) {
    if (part.number != static_cast<std::int64_t>(tags.size()) + 1) {
      return invalid_argument("the parts of upload " + ciclo::quoted(id) +
                              " must be numbered 1, 2, … without gaps; part " +
                              std::to_string(tags.size() + 1) + " is missing or doubled");
    }
    tags.push_back(part.tag);
  }
  const auto done = parts_.complete(place.key, place.upload, tags);
  if (!done.ok() && done.error().code == Code::kNotFound) return unknown_upload(id);
  if (!done.ok()) return done.error();
  Hasher hasher;
  Writer::Committed committed;
  TRY(client_.read(
      place.key, 0, std::numeric_limits<std::uint64_t>::max(), [](std::uint64_t) {},
      [&](std::string_view bytes) -> Result<void> {
        hasher.update(bytes);
        committed.size += bytes.size();
        return {};
      }));
  committed.hash = hasher.digest();
  TRY(adopt_(place.key, committed.hash, committed.size));
  return committed;
}

Result<void> S3Direct::forget(std::string_view purpose, std::string_view id) {
  TRY(const Place place, place_of(purpose, id));
  TRY(client_.call({.method = "DELETE", .key = place.key}));
  return {};
}

Result<void> S3Direct::abort(std::string_view purpose, std::string_view id) {
  const auto place = place_of(purpose, id);
  if (!place.ok()) return {};
  TRY(parts_.abort(place->key, place->upload));
  TRY(client_.call({.method = "DELETE", .key = place->key}));
  return {};
}

Result<std::string> S3Direct::download_url(const Hash& hash, std::string_view file_name,
                                           std::int64_t expires_s) {
  TRY(check_hash(hash));
  if (expires_s < 1 || expires_s > kUrlSecondsMax) {
    return invalid_argument("a URL is good for 1 to " + std::to_string(kUrlSecondsMax) +
                            " seconds, got " + std::to_string(expires_s));
  }
  return client_.presign({.key = prefix_ + "objects/" + hash.substr(0, 2) + "/" + hash.substr(2),
                          .query = {{"response-content-disposition", disposition(file_name)}}},
                         expires_s);
}

}  // namespace ciclo::blob
