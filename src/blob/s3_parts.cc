// SPDX-License-Identifier: Apache-2.0
#include "blob/s3_parts.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "blob/s3_text.h"

namespace ciclo::blob {
namespace {

constexpr std::uint64_t kPartsMax = 10'000;                      // what S3 takes
constexpr std::uint64_t kCopyBytesMax = std::uint64_t{5} << 30;  // in one request
constexpr std::uint64_t kCopyPartBytes = std::uint64_t{1} << 30;

}  // namespace

Result<void> S3Parts::put(const std::string& key, int file, std::uint64_t size) const {
  const auto sender = [&](const std::string& upload) -> SendPart {
    return [&, upload](std::uint64_t number, std::uint64_t offset,
                       std::uint64_t bytes) -> Result<std::string> {
      TRY(const auto sent,
          client_.call({.method = "PUT",
                        .key = key,
                        .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}},
                        .file = file,
                        .file_offset = offset,
                        .file_bytes = bytes}));
      return sent.header("etag");
    };
  };
  return in_parts(key, size, part_bytes_, sender);
}

Result<void> S3Parts::copy(const std::string& from, const std::string& to,
                           std::uint64_t size) const {
  const std::string source = client_.source_of(from);
  if (size <= kCopyBytesMax) {
    // Without new metadata, S3 refuses to copy an object onto itself.
    TRY(client_.call(
        {.method = "PUT",
         .key = to,
         .headers = {{"x-amz-copy-source", source}, {"x-amz-metadata-directive", "REPLACE"}}}));
    return {};
  }
  const auto sender = [&](const std::string& upload) -> SendPart {
    return [&, upload](std::uint64_t number, std::uint64_t offset,
                       std::uint64_t bytes) -> Result<std::string> {
      TRY(const auto copied,
          client_.call(
              {.method = "PUT",
               .key = to,
               .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}},
               .headers = {{"x-amz-copy-source", source},
                           {"x-amz-copy-source-range", "bytes=" + std::to_string(offset) + "-" +
                                                           std::to_string(offset + bytes - 1)}}}));
      return xml_text(copied.body, "ETag").value_or("");
    };
  };
  return in_parts(to, size, kCopyPartBytes, sender);
}

Result<void> S3Parts::in_parts(
    const std::string& key, std::uint64_t size, std::uint64_t part_bytes,
    const std::function<SendPart(const std::string& upload)>& sender) const {
  TRY(const std::string upload, begin(key));
  const auto tags =
      send_all(size, std::max(part_bytes, (size + kPartsMax - 1) / kPartsMax), sender(upload));
  const auto done = tags.ok() ? complete(key, upload, *tags) : tags.error();
  if (done.ok()) return {};
  if (const auto aborted = abort(key, upload); !aborted.ok()) {
    log::warn("an upload in parts stays behind until it is swept",
              {{"key", key}, {"error", aborted.error().message}});
  }
  return done.error();
}

// Several threads each take the next part that is left.
Result<std::vector<std::string>> S3Parts::send_all(std::uint64_t size, std::uint64_t part_bytes,
                                                   const SendPart& send) const {
  const std::uint64_t parts = (size + part_bytes - 1) / part_bytes;
  std::vector<std::string> tags(parts);
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::optional<Error> failure;  // guarded by mutex; the first
  const auto work = [&] {
    for (std::uint64_t part = next++; part < parts; part = next++) {
      const std::uint64_t offset = part * part_bytes;
      auto tag = send(part + 1, offset, std::min(part_bytes, size - offset));
      if (tag.ok()) {
        tags[part] = std::move(tag).value();
        continue;
      }
      const std::lock_guard lock(mutex);
      if (!failure) failure = tag.error();
      next = parts;
    }
  };
  {
    std::vector<std::jthread> helpers;
    const auto threads = std::min<std::uint64_t>(static_cast<std::uint64_t>(parallel_max_), parts);
    for (std::uint64_t i = 1; i < threads; ++i) {
      helpers.emplace_back([&work] {
        set_thread_name("s3-part");
        work();
      });
    }
    work();
  }
  if (failure) return *failure;
  return tags;
}

Result<std::string> S3Parts::begin(const std::string& key) const {
  TRY(const auto begun, client_.call({.method = "POST", .key = key, .query = {{"uploads", ""}}}));
  const auto upload = xml_text(begun.body, "UploadId");
  if (!upload) return internal(client_.name() + " began an upload without naming it");
  return *upload;
}

Result<void> S3Parts::complete(const std::string& key, const std::string& upload,
                               const std::vector<std::string>& tags) const {
  std::string body = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < tags.size(); ++i) {
    body += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" +
            xml_escape(tags[i]) + "</ETag></Part>";
  }
  body += "</CompleteMultipartUpload>";
  const auto done =
      client_.call({.method = "POST", .key = key, .query = {{"uploadId", upload}}, .body = body});
  if (done.ok()) return {};
  // An attempt whose answer was lost may have completed it: then the upload is gone and the object
  // there.
  if (done.error().code != Code::kNotFound) return done.error();
  const auto there = client_.call({.method = "HEAD", .key = key});
  return there.ok() ? Result<void>() : Result<void>(done.error());
}

Result<void> S3Parts::abort(const std::string& key, const std::string& upload) const {
  const auto aborted =
      client_.call({.method = "DELETE", .key = key, .query = {{"uploadId", upload}}});
  if (!aborted.ok() && aborted.error().code != Code::kNotFound) return aborted.error();
  return {};
}

Result<Store::Leftovers> S3Parts::sweep(const std::string& prefix, std::int64_t before_ms,
                                        Store::Sweep sweep) const {
  Store::Leftovers left;
  std::string key_marker;
  std::string upload_marker;
  do {
    S3Request list{.query = {{"uploads", ""}, {"prefix", prefix}}};
    if (!key_marker.empty()) {
      list.query.emplace_back("key-marker", key_marker);
      list.query.emplace_back("upload-id-marker", upload_marker);
    }
    TRY(const auto listed, client_.call(list));
    for (const auto upload : xml_elements(listed.body, "Upload")) {
      const auto key = xml_text(upload, "Key");
      const auto id = xml_text(upload, "UploadId");
      const auto begun = time_of_listing(xml_text(upload, "Initiated").value_or(""));
      if (!key || !id || !begun || !key->starts_with(prefix)) continue;
      if (client_.local_time(listed, *begun) >= before_ms) continue;
      TRY(const Sent sent, sent_of(*key, *id));
      if (sent.newest_ms >= before_ms) continue;  // somebody is still at it
      left.bytes += sent.bytes;
      ++left.count;
      if (sweep == Store::Sweep::kRemove) TRY(abort(*key, *id));
    }
    const bool is_last = xml_text(listed.body, "IsTruncated") != "true";
    key_marker = is_last ? "" : xml_text(listed.body, "NextKeyMarker").value_or("");
    upload_marker = xml_text(listed.body, "NextUploadIdMarker").value_or("");
  } while (!key_marker.empty());
  return left;
}

// An answer tells a thousand parts.
Result<S3Parts::Sent> S3Parts::sent_of(const std::string& key, const std::string& upload) const {
  Sent sent;
  std::int64_t after = 0;
  while (true) {
    S3Request list{.key = key, .query = {{"uploadId", upload}}};
    if (after > 0) list.query.emplace_back("part-number-marker", std::to_string(after));
    const auto listed = client_.call(list);
    if (!listed.ok() && listed.error().code == Code::kNotFound) return sent;
    if (!listed.ok()) return listed.error();
    std::int64_t last = after;
    for (const auto part : xml_elements(listed->body, "Part")) {
      const auto bytes = parse_int(xml_text(part, "Size").value_or("")).value_or(0);
      sent.bytes += static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0));
      if (const auto time = time_of_listing(xml_text(part, "LastModified").value_or(""))) {
        sent.newest_ms = std::max(sent.newest_ms, client_.local_time(*listed, *time));
      }
      last = std::max(last, parse_int(xml_text(part, "PartNumber").value_or("")).value_or(0));
    }
    const bool is_more = xml_text(listed->body, "IsTruncated") == "true" && last > after;
    if (!is_more) return sent;
    after = last;
  }
}

}  // namespace ciclo::blob
