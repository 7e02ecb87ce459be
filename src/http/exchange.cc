// SPDX-License-Identifier: Apache-2.0
#include "http/exchange.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "http/idempotency.h"
#include "http/wire.h"

namespace ciclo::http {
namespace {

constexpr std::size_t kCompressBytesMin = 1024;
constexpr std::size_t kStreamBytesMax = 256 << 10;

bool may_compress(int status, const Headers& headers) {
  return status != 206 && may_have_body(status) && !headers.has("Content-Encoding") &&
         headers.get("Cache-Control").find("no-transform") == std::string_view::npos &&
         is_compressible(headers.get("Content-Type"));
}

void mark_encoded(Headers& headers, Coding coding) {
  headers.set("Content-Encoding", std::string(coding_name(coding)));
  // The encoded form is another sequence of bytes, so a strong validator would lie (RFC
  // 9110, 8.8.3).
  const std::string tag(headers.get("ETag"));
  if (tag.starts_with('"')) headers.set("ETag", "W/" + tag);
}

void compress(Response& response, Coding accepted) {
  if (response.body.size() < kCompressBytesMin || !may_compress(response.status, response.headers))
    return;
  if (!response.headers.has("Vary")) response.headers.add("Vary", "Accept-Encoding");
  if (accepted == Coding::kIdentity) return;
  std::string encoded = encode(accepted, response.body);
  if (encoded.size() >= response.body.size()) return;
  response.body = std::move(encoded);
  mark_encoded(response.headers, accepted);
}

// How the end of a streamed body is told.
enum class Framing { kChunks, kLength, kConnection, kNone };

class ResponseStream : public Stream {
 public:
  ResponseStream(std::shared_ptr<Port> port, std::uint64_t number,
                 std::shared_ptr<StreamBuffer> buffer, Framing framing, std::uint64_t length,
                 Coding coding)
      : port_(std::move(port)),
        number_(number),
        buffer_(std::move(buffer)),
        framing_(framing),
        left_(length),
        encoder_(coding == Coding::kIdentity ? nullptr : Encoder::create(coding)) {}

  ~ResponseStream() override {
    if (ended_) return;
    end(End::kCut);
  }

  Result<void> write(std::string_view bytes) override {
    if (ended_) return failed_precondition("the stream is finished");
    if (framing_ == Framing::kNone) return {};
    if (framing_ == Framing::kLength) {
      if (bytes.size() > left_) return invalid_argument("more bytes than Content-Length announced");
      left_ -= bytes.size();
    }
    return pass(bytes, Encoder::Flush::kAll);
  }

  Result<void> finish() override {
    if (ended_) return failed_precondition("the stream is finished");
    if (framing_ == Framing::kLength && left_ > 0) {
      end(End::kCut);
      return invalid_argument("fewer bytes than Content-Length announced");
    }
    Result<void> passed;
    if (framing_ != Framing::kNone && encoder_) passed = pass({}, Encoder::Flush::kEnd);
    end(passed.ok() ? End::kFinished : End::kCut);
    return passed;
  }

  bool has_room() const override {
    const std::lock_guard lock(buffer_->mutex);
    return buffer_->bytes.size() < kStreamBytesMax || buffer_->gone;
  }

  bool closed() const override { return buffer_->closed; }

 private:
  enum class End { kFinished, kCut };

  Result<void> pass(std::string_view bytes, Encoder::Flush flush) {
    std::string encoded;
    if (encoder_) {
      encoder_->write(bytes, flush, encoded);
      bytes = encoded;
    }
    if (framing_ == Framing::kChunks) {
      std::string framed;
      append_chunk(framed, bytes);
      return append(framed);
    }
    return append(bytes);
  }

  Result<void> append(std::string_view framed) {
    std::unique_lock lock(buffer_->mutex);
    if (buffer_->bytes.size() >= kStreamBytesMax && port_->on_loop()) {
      return resource_exhausted("the client is slower than the event loop may wait");
    }
    buffer_->taken.wait(lock,
                        [&] { return buffer_->bytes.size() < kStreamBytesMax || buffer_->gone; });
    if (buffer_->gone) return unavailable("the client went away");
    buffer_->bytes += framed;
    announce(lock);
    return {};
  }

  void end(End end) {
    ended_ = true;
    std::unique_lock lock(buffer_->mutex);
    if (end == End::kFinished && framing_ == Framing::kChunks) buffer_->bytes += "0\r\n\r\n";
    (end == End::kFinished ? buffer_->finished : buffer_->cut) = true;
    announce(lock);
  }

  void announce(std::unique_lock<std::mutex>& lock) {
    const bool told = std::exchange(buffer_->announced, true);
    lock.unlock();
    if (!told) port_->stream_ready(number_);
  }

  const std::shared_ptr<Port> port_;
  const std::uint64_t number_;
  const std::shared_ptr<StreamBuffer> buffer_;
  const Framing framing_;
  std::uint64_t left_;  // of Content-Length
  const std::unique_ptr<Encoder> encoder_;
  bool ended_ = false;
};

}  // namespace

void StreamBuffer::close() {
  {
    std::lock_guard lock(mutex);
    gone = true;
  }
  closed = true;
  taken.notify_all();
}

std::string Exchange::head(int status, const Headers& headers) const {
  return head_text(status, headers, clock_.now_ms(), request.context.request_id);
}

void Exchange::send(Response response) {
  mark_replay(request.context, response);
  // What is unavailable may be there again soon; a client that is not told when asks at once.
  if (response.status == 503 && !response.headers.has("Retry-After")) {
    response.headers.set("Retry-After", "1");
  }
  compress(response, shape.accepted);
  Answer answer;
  answer.status = response.status;
  answer.head = head(response.status, response.headers);
  if (may_have_body(response.status)) {
    append_field(answer.head, "Content-Length", std::to_string(response.body.size()));
    if (!shape.head_only) answer.body = std::move(response.body);
  }
  port_->answer(number_, std::move(answer));
}

std::unique_ptr<Stream> Exchange::stream(int status, Headers headers) {
  // A streamed answer takes as long as its client does.
  request.context.deadline_ns = 0;
  const auto length = parse_int(headers.get("Content-Length"));
  Framing framing = length         ? Framing::kLength
                    : shape.chunks ? Framing::kChunks
                                   : Framing::kConnection;
  Coding coding = Coding::kIdentity;
  if (!length && may_compress(status, headers)) {
    coding = shape.accepted;
    headers.add("Vary", "Accept-Encoding");
    if (coding != Coding::kIdentity) mark_encoded(headers, coding);
  }
  Answer answer;
  answer.status = status;
  answer.head = head(status, headers);
  if (framing == Framing::kLength) {
    append_field(answer.head, "Content-Length", std::to_string(*length));
  } else if (framing == Framing::kChunks && may_have_body(status)) {
    append_field(answer.head, "Transfer-Encoding", "chunked");
  }
  if (shape.head_only || !may_have_body(status)) framing = Framing::kNone;
  answer.ends_with_connection = framing == Framing::kConnection;
  auto buffer = std::make_shared<StreamBuffer>();
  buffer->events = headers.get("Content-Type").starts_with("text/event-stream");
  answer.stream = buffer;
  port_->answer(number_, std::move(answer));
  return std::make_unique<ResponseStream>(port_, number_, std::move(buffer), framing,
                                          static_cast<std::uint64_t>(length.value_or(0)), coding);
}

void Exchange::send_file(int status, Headers headers, const std::string& path, std::uint64_t offset,
                         std::uint64_t length) {
  auto file = std::make_shared<OpenFile>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (file->descriptor() < 0 || ::fstat(file->descriptor(), &facts) != 0) {
    log::error("a file to be sent cannot be opened", {{"path", path}, {"errno", errno}});
    return refuse(500, "the file to be sent cannot be opened");
  }
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (offset > size || length > size - offset) {
    log::error("a file to be sent is shorter than announced", {{"path", path}, {"size", size}});
    return refuse(500, "the file to be sent is shorter than announced");
  }
  Answer answer;
  answer.status = status;
  answer.head = head(status, headers);
  append_field(answer.head, "Content-Length", std::to_string(length));
  if (!shape.head_only && length > 0) {
    answer.file = std::move(file);
    answer.file_offset = offset;
    answer.file_length = length;
  }
  port_->answer(number_, std::move(answer));
}

void Exchange::drop() { refuse(500, "the request was not answered"); }

}  // namespace ciclo::http
