// SPDX-License-Identifier: Apache-2.0
#include "http/buffers.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ciclo::http {
namespace {

constexpr std::size_t kFilePieceBytes = 64 << 10;  // read into memory at a time
constexpr std::size_t kSendfileBytes = 1 << 20;    // handed to the kernel at a time

OutputQueue::Sent why_not() {
  const bool blocked = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return blocked ? OutputQueue::Sent::kBlocked : OutputQueue::Sent::kFailed;
}

}  // namespace

OpenFile::~OpenFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

InputBuffer::Room InputBuffer::make_room(std::size_t bytes_wanted, std::size_t bytes_max) {
  if (empty()) {
    begin_ = end_ = 0;
    if (capacity_ != bytes_wanted) move_to(bytes_wanted);
  } else if (end_ == capacity_ && begin_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  } else if (end_ == capacity_ && capacity_ < bytes_max) {
    move_to(std::min(bytes_max, capacity_ * 4));
  }
  return {bytes_.get() + end_, capacity_ - end_};
}

void InputBuffer::move_to(std::size_t capacity) {
  auto moved = std::make_unique_for_overwrite<char[]>(capacity);
  const auto held = view();
  if (!held.empty()) std::memcpy(moved.get(), held.data(), held.size());
  end_ = held.size();
  begin_ = 0;
  capacity_ = capacity;
  bytes_ = std::move(moved);
}

void OutputQueue::push(std::string bytes) {
  if (bytes.empty()) return;
  bytes_in_memory_ += bytes.size();
  pieces_.push_back({std::move(bytes), 0, nullptr, 0, 0});
}

void OutputQueue::push_file(std::shared_ptr<OpenFile> file, std::uint64_t offset,
                            std::uint64_t length) {
  pieces_.push_back({{}, 0, std::move(file), offset, length});
}

void OutputQueue::clear() {
  pieces_.clear();
  bytes_in_memory_ = 0;
}

OutputQueue::Sent OutputQueue::send(int socket, std::size_t& sent) {
  return pieces_.front().file ? send_file(socket, sent) : send_bytes(socket, sent);
}

OutputQueue::Sent OutputQueue::send_bytes(int socket, std::size_t& sent) {
  std::array<iovec, 16> parts{};
  std::size_t count = 0;
  for (auto& piece : pieces_) {
    if (piece.file || count == parts.size()) break;
    parts[count++] = {piece.bytes.data() + piece.sent, piece.bytes.size() - piece.sent};
  }
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  // A file that follows shares the packet with its head.
  const int more = count < pieces_.size() && pieces_[count].file ? MSG_MORE : 0;
  const auto taken = ::sendmsg(socket, &message, MSG_NOSIGNAL | more);
  if (taken < 0) return why_not();
  sent = static_cast<std::size_t>(taken);
  bytes_in_memory_ -= sent;
  for (std::size_t left = sent; left > 0;) {
    auto& piece = pieces_.front();
    const auto part = std::min(left, piece.bytes.size() - piece.sent);
    piece.sent += part;
    left -= part;
    if (piece.sent == piece.bytes.size()) pieces_.pop_front();
  }
  return Sent::kSome;
}

OutputQueue::Sent OutputQueue::send_file(int socket, std::size_t& sent) {
  const auto& piece = pieces_.front();
  auto offset = static_cast<off_t>(piece.offset);
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece.left, kSendfileBytes));
  const auto taken = ::sendfile(socket, piece.file->descriptor(), &offset, wanted);
  if (taken < 0) return why_not();
  if (taken == 0) return Sent::kFailed;
  sent = static_cast<std::size_t>(taken);
  advance_file(sent);
  return Sent::kSome;
}

void OutputQueue::advance_file(std::size_t count) {
  auto& piece = pieces_.front();
  piece.offset += count;
  piece.left -= count;
  if (piece.left == 0) pieces_.pop_front();
}

bool OutputQueue::take(std::string& out) {
  auto& piece = pieces_.front();
  if (!piece.file) {
    out = std::move(piece.bytes);
    bytes_in_memory_ -= out.size();
    pieces_.pop_front();
    return true;
  }
  out.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece.left, kFilePieceBytes)));
  const auto got =
      ::pread(piece.file->descriptor(), out.data(), out.size(), static_cast<off_t>(piece.offset));
  if (got <= 0) return false;
  out.resize(static_cast<std::size_t>(got));
  advance_file(out.size());
  return true;
}

}  // namespace ciclo::http
