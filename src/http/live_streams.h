// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"

namespace ciclo::http {

// Streams of server-sent events about things that change: a page that watches a run holds a
// connection and a few hundred bytes, no thread. One thread follows what all watchers look at. It
// asks once for all watchers of a topic that have seen the same, passes over a watcher whose client
// is slow (who then gets the later state), and lets go of one whose client is gone. Safe to share
// between threads.
class LiveStreams {
 public:
  struct News {
    std::string events;    // as event_text writes them; empty: nothing new
    std::string cursor;    // what a watcher has seen who has these events
    bool is_over = false;  // nothing will follow
  };
  // What is new for a watcher who has seen `cursor`; empty: nothing yet. Called by the thread that
  // begins to watch, then by the follower, never twice at a time for one watcher. All looks of one
  // topic must be alike, and own what they use. An error ends the streams that needed it in a way
  // that makes a browser come again.
  using Look = std::function<Result<News>(const std::string& cursor)>;

  // Returns when something may have changed, or after the time. Called by the follower alone, and
  // only while somebody watches.
  using Wait = std::function<void(std::chrono::milliseconds)>;

  struct Options {
    std::chrono::milliseconds poll{200};          // the longest wait between two looks
    std::chrono::milliseconds pause{20};          // the shortest; gathers quick changes
    std::chrono::milliseconds heartbeat{15'000};  // a comment, to notice clients that vanished
  };

  // The clock must outlive the object. Starts the thread.
  LiveStreams(Clock& clock, Wait wait);
  LiveStreams(Clock& clock, Wait wait, Options options);
  // Ends all streams in order and joins.
  ~LiveStreams();
  LiveStreams(const LiveStreams&) = delete;
  LiveStreams& operator=(const LiveStreams&) = delete;

  // Looks once, answers with the stream and what there is to tell, and takes the watcher over. When
  // that first look fails the reply is not used, and the error is returned.
  Result<void> follow(Reply& reply, std::string topic, Look look, std::string cursor = {});

  // Watchers that are followed now. For metrics and tests.
  std::size_t watchers() const;

 private:
  struct Watcher;
  using Watchers = std::vector<std::unique_ptr<Watcher>>;

  void run(const std::stop_token& stop);
  bool take_new(const std::stop_token& stop, Watchers& watchers);
  void look_at_all(Watchers& watchers);
  bool serve(Watcher& watcher, const Result<News>& news);

  Clock& clock_;
  const Wait wait_;
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Watchers new_;           // guarded by mutex_
  std::size_t count_ = 0;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace ciclo::http
