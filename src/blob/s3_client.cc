// SPDX-License-Identifier: Apache-2.0
#include "blob/s3_client.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>

#include "base/curl_handles.h"
#include "base/file.h"
#include "base/text.h"
#include "blob/s3_text.h"

namespace ciclo::blob {
namespace {

using Piece = std::function<Result<void>(std::string_view)>;

constexpr std::size_t kAnswerBytesMax = 16 << 20;  // of an answer that is gathered
constexpr std::size_t kPieceBytes = 1 << 18;

bool is_passing(int status) { return status == 429 || status >= 500; }

std::uint64_t body_bytes(const S3Request& request) {
  return request.file >= 0 ? request.file_bytes : request.body.size();
}

std::uint64_t number_or(std::string_view text, std::uint64_t otherwise) {
  const auto number = parse_int(text);
  return number && *number >= 0 ? static_cast<std::uint64_t>(*number) : otherwise;
}

// The size of the object: what stands after the slash of "bytes 0-9/100".
std::uint64_t size_of(const S3Answer& answer) {
  const std::string range = answer.header("content-range");
  const std::size_t slash = range.rfind('/');
  const std::string whole = slash == std::string::npos ? "" : range.substr(slash + 1);
  return number_or(whole, number_or(answer.header("content-length"), 0));
}

// Empty for the whole object, for an empty one has no range. A range that reaches beyond the
// largest offset is asked for without an end.
std::string range_of(std::uint64_t offset, std::uint64_t length) {
  const bool is_open = length > std::numeric_limits<std::int64_t>::max() - offset;
  if (is_open && offset == 0) return "";
  return "bytes=" + std::to_string(offset) + "-" +
         (is_open ? "" : std::to_string(offset + length - 1));
}

}  // namespace

std::string S3Answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

// What libcurl's callbacks read and fill.
struct S3Client::Attempt {
  const S3Request& request;
  const Piece* piece;  // null: the body is gathered in the answer
  CURL* handle = nullptr;
  S3Answer answer;
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::optional<Error> problem;  // of the caller's piece, of reading the file, or a limit

  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    return static_cast<Attempt*>(self)->take({bytes, size * count}) ? size * count : 0;
  }

  bool take(std::string_view bytes) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (piece != nullptr && status == 200 && request.headers.contains("range")) {
      problem = internal("the object store sends the whole object where a range was asked for");
    } else if (piece != nullptr && status / 100 == 2) {
      delivered += bytes.size();
      if (auto taken = (*piece)(bytes); !taken.ok()) problem = taken.error();
    } else if (answer.body.size() + bytes.size() > kAnswerBytesMax) {
      problem = resource_exhausted("an answer of the object store is larger than " +
                                   std::to_string(kAnswerBytesMax) + " bytes");
    } else {
      answer.body.append(bytes);
    }
    return !problem;
  }

  static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& headers = static_cast<Attempt*>(self)->answer.headers;
    const std::string_view line = trim({bytes, size * count});
    if (line.starts_with("HTTP/")) headers.clear();
    if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      headers[to_lower_ascii(line.substr(0, colon))] = trim(line.substr(colon + 1));
    }
    return size * count;
  }

  static std::size_t on_send(char* buffer, std::size_t size, std::size_t count, void* self) {
    return static_cast<Attempt*>(self)->give(buffer, size * count);
  }

  std::size_t give(char* buffer, std::size_t room) {
    const std::uint64_t left = body_bytes(request) - sent;
    const std::size_t wanted = std::min<std::uint64_t>(room, left);
    if (request.file < 0) {
      std::memcpy(buffer, request.body.data() + sent, wanted);
      sent += wanted;
      return wanted;
    }
    const auto at = static_cast<off_t>(request.file_offset + sent);
    const ssize_t got = ::pread(request.file, buffer, wanted, at);
    if (got < 0 || (got == 0 && wanted > 0)) {
      problem = file_error("read", "what is being uploaded", got < 0 ? errno : EIO);
      return CURL_READFUNC_ABORT;
    }
    sent += static_cast<std::size_t>(got);
    return static_cast<std::size_t>(got);
  }

  // A kept connection that turns out to be closed: libcurl begins again on another.
  static int on_rewind(void* self, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    static_cast<Attempt*>(self)->sent = static_cast<std::uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  void set_up(const SignedRequest& from, const std::string& url, CurlHeaders& headers) {
    for (const auto& [name, value] : from.headers) headers.add(name + ": " + value);
    headers.add("Expect:");
    headers.add("Content-Type:");
    curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    if (request.method == "HEAD") {
      curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (request.method == "PUT" || request.method == "POST") {
      curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE,
                       static_cast<curl_off_t>(body_bytes(request)));
      curl_easy_setopt(handle, CURLOPT_READFUNCTION, &Attempt::on_send);
      curl_easy_setopt(handle, CURLOPT_READDATA, this);
      curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, &Attempt::on_rewind);
      curl_easy_setopt(handle, CURLOPT_SEEKDATA, this);
      curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(kPieceBytes));
    }
    if (request.method != "GET" && request.method != "HEAD") {
      curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.list());
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, static_cast<long>(kPieceBytes));
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Attempt::on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Attempt::on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, this);
  }
};

struct S3Client::Outcome {
  Result<S3Answer> answer;
  bool may_pass = false;  // another attempt may succeed
  std::uint64_t delivered = 0;
};

S3Client::S3Client(S3Options options, Clock& clock, Random& random)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      handles_(options_.connections_max) {}

S3Client::~S3Client() = default;

std::string S3Client::name() const {
  return "bucket " + ciclo::quoted(options_.bucket) + " at " + options_.scheme + "://" +
         options_.host;
}

Result<S3Answer> S3Client::call(const S3Request& request) {
  TRY(const Proof proof, proof_of(request));
  for (int number = 1;; ++number) {
    Outcome outcome = attempt(request, proof, nullptr);
    if (!outcome.may_pass || number >= options_.attempts_max) return std::move(outcome.answer);
    wait_before(number);
  }
}

Result<S3Answer> S3Client::call_once(const S3Request& request) {
  TRY(const Proof proof, proof_of(request));
  return attempt(request, proof, nullptr).answer;
}

std::string S3Client::source_of(const std::string& key) const {
  return "/" + options_.bucket + "/" + uri_encode(key, Slash::kKeep);
}

Result<void> S3Client::read(const std::string& key, std::uint64_t offset, std::uint64_t length,
                            const std::function<void(std::uint64_t)>& size, const Piece& piece) {
  std::uint64_t left = length;
  for (int number = 1;; ++number) {
    S3Request request{.key = key};
    if (const auto range = range_of(offset, left); !range.empty()) request.headers["range"] = range;
    TRY(const Proof proof, proof_of(request));
    Outcome outcome = attempt(request, proof, &piece);
    if (outcome.answer.ok()) size(size_of(*outcome.answer));
    if (outcome.delivered > 0) number = 1;
    offset += outcome.delivered;
    left -= std::min(left, outcome.delivered);
    if (!outcome.may_pass || number >= options_.attempts_max) {
      if (!outcome.answer.ok()) return outcome.answer.error();
      return {};
    }
    wait_before(number);
  }
}

// Full jitter (Brooker 2015): anywhere below the doubled back-off.
void S3Client::wait_before(int number) const {
  const double ceiling = static_cast<double>(options_.backoff.count()) *
                         static_cast<double>(1LL << std::min(number - 1, 10));
  pause(std::chrono::milliseconds(static_cast<std::int64_t>(ceiling * random_.uniform())));
}

void S3Client::pause(std::chrono::milliseconds time) const {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, time);
}

std::int64_t S3Client::local_time(const S3Answer& answer, std::int64_t time_ms) const {
  const std::int64_t now_ms = clock_.now_ms();
  return now_ms - (time_of_header(answer.header("date")).value_or(now_ms) - time_ms);
}

SignedRequest S3Client::unsigned_request(const S3Request& request) const {
  SignedRequest out{request.method, options_.path, request.query, request.headers};
  if (!request.key.empty()) out.path += "/" + uri_encode(request.key, Slash::kKeep);
  if (out.path.empty()) out.path = "/";
  out.headers["host"] = options_.host;
  return out;
}

// Made once for all attempts. A body from a file is not signed where TLS protects it. Its MD5 is
// sent all the same: TLS does not tell the store that there would have been more, and there are
// stores that keep what has come until then, or an empty object.
Result<S3Client::Proof> S3Client::proof_of(const S3Request& request) const {
  const bool is_kept = request.method == "PUT" && !request.headers.contains("x-amz-copy-source");
  Digest md5(Digest::Kind::kMd5);
  if (request.file < 0) {
    if (is_kept) md5.update(request.body);
    return Proof{sha256_hex(request.body), is_kept ? to_base64(md5.finish()) : ""};
  }
  const bool is_signed = options_.scheme != "https";
  Digest sha256(Digest::Kind::kSha256);
  std::vector<char> buffer(std::min<std::uint64_t>(kPieceBytes, request.file_bytes));
  for (std::uint64_t done = 0; done < request.file_bytes;) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), request.file_bytes - done);
    const auto at = static_cast<off_t>(request.file_offset + done);
    const ssize_t got = ::pread(request.file, buffer.data(), wanted, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return file_error("read", "what is being uploaded", got < 0 ? errno : EIO);
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    md5.update(bytes);
    if (is_signed) sha256.update(bytes);
    done += bytes.size();
  }
  return Proof{is_signed ? to_hex(sha256.finish()) : std::string(kUnsignedPayload),
               to_base64(md5.finish())};
}

S3Client::Outcome S3Client::attempt(const S3Request& request, const Proof& proof,
                                    const Piece* piece) const {
  SignedRequest signed_request = unsigned_request(request);
  if (!proof.md5.empty()) signed_request.headers["content-md5"] = proof.md5;
  sign(signed_request, options_.credentials, options_.region, proof.payload, clock_.now_ms());
  std::string url = options_.scheme + "://" + options_.host + signed_request.path;
  if (!request.query.empty()) url += "?" + canonical_query(request.query);

  Attempt attempt{request, piece};
  const CurlHandles::Lent lent = handles_.take();
  CURL* const handle = lent.get();
  if (handle == nullptr) return {resource_exhausted("cannot make a connection handle")};
  attempt.handle = handle;
  const auto ms = [](std::chrono::milliseconds time) { return static_cast<long>(time.count()); };
  std::array<char, CURL_ERROR_SIZE> detail{};
  CurlHeaders headers;
  attempt.set_up(signed_request, url, headers);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail.data());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, ms(options_.connect_timeout));
  // Counts only while nothing moves, so that a long transfer may take its time.
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, std::max(1L, ms(options_.timeout) / 1000));
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, options_.ca_file.c_str());
  }
  const CURLcode code = curl_easy_perform(handle);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  attempt.answer.status = static_cast<int>(status);

  if (attempt.problem) return {*attempt.problem, false, attempt.delivered};
  if (code != CURLE_OK) {
    const Error error = transport_error(code, detail.data());
    const bool may_pass = error.code == Code::kUnavailable || error.code == Code::kDeadlineExceeded;
    return {error, may_pass, attempt.delivered};
  }
  // Some answers are known to fail only after 200 was sent (CompleteMultipartUpload, CopyObject).
  const bool fails_late =
      piece == nullptr && attempt.answer.body.find("<Error>") != std::string::npos;
  if (status / 100 == 2 && !fails_late)
    return {std::move(attempt.answer), false, attempt.delivered};
  const auto said = xml_text(attempt.answer.body, "Code");
  const bool may_pass = is_passing(attempt.answer.status) || (status / 100 == 2 && fails_late) ||
                        said == "RequestTimeout" || said == "BadDigest";
  return {error_of(request, attempt.answer), may_pass, attempt.delivered};
}

Error S3Client::transport_error(int code, const char* detail) const {
  const auto curl_code = static_cast<CURLcode>(code);
  const std::string what = detail[0] != '\0' ? detail : curl_easy_strerror(curl_code);
  switch (curl_code) {
    case CURLE_OPERATION_TIMEDOUT:
      return deadline_exceeded(name() + " does not answer in time: " + what);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return invalid_argument(name() + ": " + what);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return permission_denied(name() + " is not trusted: " + what +
                               "; client.ca_file names the authorities to trust");
    case CURLE_OUT_OF_MEMORY: return resource_exhausted(name() + ": " + what);
    default: return unavailable(name() + " cannot be reached: " + what);
  }
}

// The words of the store are passed on: they tell what is wrong, and hold no secret.
Error S3Client::error_of(const S3Request& request, const S3Answer& answer) const {
  const std::string code =
      xml_text(answer.body, "Code").value_or("status " + std::to_string(answer.status));
  std::string said = code;
  if (const auto text = xml_text(answer.body, "Message"); text && !text->empty()) {
    said += " (" + *text + ")";
  }
  if (code == "NoSuchBucket") {
    return failed_precondition(name() + " does not exist: make it, or name another");
  }
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch" || code == "ExpiredToken" ||
      code == "InvalidToken") {
    return permission_denied(name() + " refuses the credentials with the access key " +
                             ciclo::quoted(options_.credentials.access_key_id) + ": " + said +
                             "; check the access key, the secret key and the region " +
                             ciclo::quoted(options_.region));
  }
  if (answer.status / 100 == 3 || code == "AuthorizationHeaderMalformed") {
    const std::string other =
        xml_text(answer.body, "Region").value_or(answer.header("x-amz-bucket-region"));
    return failed_precondition(name() + " is not in the region " + ciclo::quoted(options_.region) +
                               (other.empty() ? "" : " but in " + ciclo::quoted(other)) + ": " +
                               said);
  }
  const std::string where = request.method + " in " + name() + ": " + said;
  if (answer.status == 403) return permission_denied(where);
  if (answer.status == 404) return not_found(where);
  if (answer.status == 416) return invalid_argument(where);
  if (is_passing(answer.status)) return unavailable(where);
  if (code == "RequestTimeout") return deadline_exceeded(where);
  if (code == "InvalidPart" || code == "InvalidPartOrder" || code == "EntityTooSmall") {
    return invalid_argument(where);
  }
  return internal(where);
}

std::string S3Client::presign(const S3Request& request, std::int64_t expires_s) const {
  const SignedRequest plain = unsigned_request(request);
  return options_.scheme + "://" + options_.host + plain.path + "?" +
         presigned_query(plain, options_.credentials, options_.region, clock_.now_ms(), expires_s);
}

}  // namespace ciclo::blob
