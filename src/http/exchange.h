// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "http/body_budget.h"
#include "http/buffers.h"
#include "http/codec.h"
#include "http/message.h"

// One request and its answer, between the handler's thread and the connection's loop. The work that
// takes time (compression, opening files, putting the head together) is done on the handler's side.

namespace ciclo::http {

// The bytes of a streamed answer that the connection has not taken yet. Shared by the thread that
// writes and the loop.
struct StreamBuffer {
  std::mutex mutex;
  std::condition_variable taken;
  std::string bytes;       // guarded by mutex; framed
  bool announced = false;  // guarded by mutex; the loop knows that there is something to take
  bool finished = false;   // guarded by mutex; nothing will follow
  bool cut = false;        // guarded by mutex; the writer gave up in the middle
  bool gone = false;       // guarded by mutex; the connection is closed
  std::atomic<bool> closed{false};  // what Stream::closed tells
  bool events = false;              // text/event-stream; set before it is shared

  // The loop's side: the client has gone.
  void close();
};

// What a handler's answer is for the connection.
struct Answer {
  int status = 200;
  std::string head;  // without the fields of the connection and the empty line
  std::string body;
  std::shared_ptr<OpenFile> file;  // shared with the queue of output; sent after `body`
  std::uint64_t file_offset = 0;
  std::uint64_t file_length = 0;
  std::shared_ptr<StreamBuffer> stream;
  bool ends_with_connection = false;  // HTTP/1.0 knows no other end of a stream
};

// The connection, as other threads may use it: each call is carried out on its loop, or not at all
// once the connection is gone or serves another request.
class Port {
 public:
  virtual ~Port() = default;
  virtual bool on_loop() const = 0;
  virtual void answer(std::uint64_t request, Answer answer) = 0;
  // Answers with an error in the shape of the request's protocol.
  virtual void refuse(std::uint64_t request, int status, std::string message) = 0;
  virtual void stream_ready(std::uint64_t request) = 0;
  virtual void body_has_room(std::uint64_t request) = 0;
  virtual void send_continue(std::uint64_t request) = 0;
};

class Exchange : public Reply::Sink {
 public:
  struct Shape {
    bool head_only = false;  // HEAD
    bool chunks = true;      // HTTP/1.1
    Coding accepted = Coding::kIdentity;
  };
  // `port` is shared with all exchanges of the connection, some of which may be parked.
  Exchange(std::shared_ptr<Port> port, std::uint64_t number, Clock& clock)
      : port_(std::move(port)), number_(number), clock_(clock) {
    request.context.cancellation = abandoned_;
  }

  BodyHold hold;  // of the request's body
  Request request;
  Shape shape;
  // The connection is gone: a handler that has not begun need not, and one that works may stop.
  void abandon() { *abandoned_ = true; }
  bool is_abandoned() const { return *abandoned_; }

  std::uint64_t number() const { return number_; }
  std::int64_t now_ms() { return clock_.now_ms(); }
  void refuse(int status, std::string message) {
    port_->refuse(number_, status, std::move(message));
  }

  void send(Response response) override;
  std::unique_ptr<Stream> stream(int status, Headers headers) override;
  void send_file(int status, Headers headers, const std::string& path, std::uint64_t offset,
                 std::uint64_t length) override;
  void drop() override;

 private:
  std::string head(int status, const Headers& headers) const;

  const std::shared_ptr<Port> port_;
  const std::uint64_t number_;
  Clock& clock_;
  // Shared with the request's context and its copies.
  const std::shared_ptr<std::atomic<bool>> abandoned_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace ciclo::http
