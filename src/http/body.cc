// SPDX-License-Identifier: Apache-2.0
#include "http/body.h"

#include <utility>

namespace ciclo::http {
namespace {

Error too_large(std::size_t bytes_max) {
  return resource_exhausted("the body is larger than the " + std::to_string(bytes_max) +
                            " bytes that this address takes");
}

}  // namespace

Result<void> WholeBody::decode(Coding coding, std::size_t bytes_max) {
  if (coding == Coding::kIdentity) return {};
  std::string out;
  auto decoder = Decoder::create(coding);
  TRY(decoder->feed(bytes_, [&](std::string_view piece) -> Result<void> {
    if (out.size() + piece.size() > bytes_max) return too_large(bytes_max);
    out += piece;
    return {};
  }));
  TRY(decoder->finish());
  bytes_ = std::move(out);
  return {};
}

Result<void> WholeBody::read(const std::function<Result<void>(std::string_view)>& piece) {
  if (bytes_.empty()) return {};
  return piece(bytes_);
}

BodyPipe::BodyPipe(std::size_t bytes_max, std::function<void()> room)
    : bytes_max_(bytes_max), room_(std::move(room)) {}

void BodyPipe::push(std::string_view bytes) {
  {
    std::lock_guard lock(mutex_);
    bytes_ += bytes;
  }
  changed_.notify_one();
}

void BodyPipe::finish() {
  {
    std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_one();
}

void BodyPipe::fail(Error error) {
  {
    std::lock_guard lock(mutex_);
    if (finished_ || error_) return;
    error_ = std::move(error);
  }
  changed_.notify_one();
}

bool BodyPipe::full() const {
  std::lock_guard lock(mutex_);
  was_full_ = bytes_.size() >= bytes_max_;
  return was_full_;
}

Result<bool> BodyPipe::pop(std::string& out) {
  out.clear();
  bool writer_waits = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !bytes_.empty() || finished_ || error_; });
    if (bytes_.empty()) {
      if (error_) return *error_;
      return false;
    }
    std::swap(out, bytes_);
    writer_waits = std::exchange(was_full_, false);
  }
  if (writer_waits) room_();
  return true;
}

PipedBody::PipedBody(std::shared_ptr<BodyPipe> pipe, Coding coding, std::size_t bytes_max,
                     std::function<void()> begin)
    : pipe_(std::move(pipe)), coding_(coding), bytes_max_(bytes_max), begin_(std::move(begin)) {}

Result<void> PipedBody::read(const std::function<Result<void>(std::string_view)>& piece) {
  if (begin_) std::exchange(begin_, nullptr)();
  auto decoder = Decoder::create(coding_);
  std::string bytes;
  bool any = false;
  while (true) {
    TRY(const bool more, pipe_->pop(bytes));
    if (!more) break;
    any = true;
    TRY(decoder->feed(bytes, [&](std::string_view decoded) -> Result<void> {
      bytes_ += decoded.size();
      if (bytes_ > bytes_max_) return too_large(bytes_max_);
      return piece(decoded);
    }));
  }
  if (!any) return {};
  return decoder->finish();
}

Result<std::string_view> PipedBody::all() {
  if (!whole_) {
    std::string bytes;
    TRY(read([&bytes](std::string_view piece) -> Result<void> {
      bytes += piece;
      return {};
    }));
    whole_ = std::move(bytes);
  }
  return std::string_view(*whole_);
}

}  // namespace ciclo::http
