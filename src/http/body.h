// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/codec.h"
#include "http/message.h"

// The two kinds of request body: one that is there already, and one that arrives while it is read.

namespace ciclo::http {

class WholeBody : public Body {
 public:
  explicit WholeBody(std::string bytes) : bytes_(std::move(bytes)) {}

  // Replaces the bytes by what they decode to. resource_exhausted over `bytes_max`.
  Result<void> decode(Coding coding, std::size_t bytes_max);

  Result<void> read(const std::function<Result<void>(std::string_view)>& piece) override;
  Result<std::string_view> all() override { return std::string_view(bytes_); }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
};

// Bytes on their way from a connection's loop to the worker that reads them, at most `bytes_max`
// and one piece at a time, so that a slow reader slows the client down. Safe to share between the
// two threads.
class BodyPipe {
 public:
  // `room` is called by the reader when the writer, once told that the pipe is full, may go on.
  BodyPipe(std::size_t bytes_max, std::function<void()> room);

  // The writer's side; never waits.
  void push(std::string_view bytes);
  void finish();
  void fail(Error error);
  bool full() const;

  // The reader's side: waits, then puts all that is there into `out`. False at the end of the body.
  Result<bool> pop(std::string& out);

 private:
  const std::size_t bytes_max_;
  const std::function<void()> room_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string bytes_;              // guarded by mutex_
  bool finished_ = false;          // guarded by mutex_
  std::optional<Error> error_;     // guarded by mutex_
  mutable bool was_full_ = false;  // guarded by mutex_; the writer waits for room
};

class PipedBody : public Body {
 public:
  // `begin` is called before the first wait: the client may want to be told to continue.
  PipedBody(std::shared_ptr<BodyPipe> pipe, Coding coding, std::size_t bytes_max,
            std::function<void()> begin);

  Result<void> read(const std::function<Result<void>(std::string_view)>& piece) override;
  Result<std::string_view> all() override;

 private:
  // Shared with the connection, which fills it and may end first.
  const std::shared_ptr<BodyPipe> pipe_;
  const Coding coding_;
  const std::size_t bytes_max_;
  std::function<void()> begin_;
  std::size_t bytes_ = 0;  // decoded so far
  std::optional<std::string> whole_;
};

}  // namespace ciclo::http
