// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

// What a connection has received and not consumed, and what it has to send. Used on the loop's
// thread.

namespace ciclo::http {

// A file descriptor that is closed with the object.
class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

// Bytes received. Small while idle, since most connections are; grows with what arrives.
class InputBuffer {
 public:
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  void consume(std::size_t count) { begin_ += count; }
  void clear() { begin_ = end_; }

  // Where to receive to: `room` bytes at `place`. None is left once `bytes_max` are held. Moves
  // what is held, so no receiving may be under way. An empty buffer takes the size `bytes_wanted`.
  struct Room {
    char* place = nullptr;
    std::size_t bytes = 0;
  };
  Room make_room(std::size_t bytes_wanted, std::size_t bytes_max);
  void received(std::size_t count) { end_ += count; }

 private:
  void move_to(std::size_t capacity);

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// Bytes and parts of files, in the order in which they go out.
class OutputQueue {
 public:
  void push(std::string bytes);
  // Shares the file with the answer that it came from.
  void push_file(std::shared_ptr<OpenFile> file, std::uint64_t offset, std::uint64_t length);

  bool empty() const { return pieces_.empty(); }
  std::size_t bytes_in_memory() const { return bytes_in_memory_; }
  void clear();

  // Sends what the socket takes with one system call, files by sendfile(2). kFailed: the client is
  // gone, or a file has become shorter than it was.
  enum class Sent { kSome, kBlocked, kFailed };
  Sent send(int socket, std::size_t& sent);

  // The next piece, at most 64 KiB of a file, for a socket that does not take files. False as for
  // kFailed.
  bool take(std::string& out);

 private:
  struct Piece {
    std::string bytes;
    std::size_t sent = 0;
    std::shared_ptr<OpenFile> file;
    std::uint64_t offset = 0;
    std::uint64_t left = 0;
  };
  Sent send_bytes(int socket, std::size_t& sent);
  Sent send_file(int socket, std::size_t& sent);
  void advance_file(std::size_t count);

  std::deque<Piece> pieces_;
  std::size_t bytes_in_memory_ = 0;
};

}  // namespace ciclo::http
