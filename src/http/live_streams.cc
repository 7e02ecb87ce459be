// SPDX-License-Identifier: Apache-2.0
#include "http/live_streams.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/worker_pool.h"

namespace ciclo::http {

struct LiveStreams::Watcher {
  std::unique_ptr<Stream> stream;
  std::string topic;
  Look look;
  std::string cursor;
  std::int64_t written_ns = 0;
};

LiveStreams::LiveStreams(Clock& clock, Wait wait)
    : LiveStreams(clock, std::move(wait), Options()) {}

LiveStreams::LiveStreams(Clock& clock, Wait wait, Options options)
    : clock_(clock), wait_(std::move(wait)), options_(options), thread_([this](auto stop) {
        set_thread_name("live-streams");
        run(stop);
      }) {}

LiveStreams::~LiveStreams() {
  thread_.request_stop();
  thread_.join();
}

Result<void> LiveStreams::follow(Reply& reply, std::string topic, Look look, std::string cursor) {
  TRY(News first, look(cursor));
  auto watcher = std::make_unique<Watcher>();
  watcher->stream =
      reply.stream(200, {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}});
  watcher->topic = std::move(topic);
  watcher->look = std::move(look);
  watcher->cursor = std::move(cursor);
  if (!serve(*watcher, std::move(first))) return {};
  {
    const std::lock_guard lock(mutex_);
    new_.push_back(std::move(watcher));
    ++count_;
  }
  changed_.notify_one();
  return {};
}

std::size_t LiveStreams::watchers() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

void LiveStreams::run(const std::stop_token& stop) {
  Watchers watchers;
  while (take_new(stop, watchers)) {
    look_at_all(watchers);
    {
      std::unique_lock lock(mutex_);
      count_ = watchers.size() + new_.size();
      changed_.wait_for(lock, stop, options_.pause, [] { return false; });
    }
    if (!watchers.empty() && !stop.stop_requested()) wait_(options_.poll);
  }
  // A client whose stream ends in order comes again; the server that it finds then is another.
  for (const auto& watcher : watchers) static_cast<void>(watcher->stream->finish().ok());
}

// Waits for a watcher while there is none. False when the thread must end.
bool LiveStreams::take_new(const std::stop_token& stop, Watchers& watchers) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return !new_.empty() || !watchers.empty(); });
  std::move(new_.begin(), new_.end(), std::back_inserter(watchers));
  new_.clear();
  return !stop.stop_requested();
}

void LiveStreams::look_at_all(Watchers& watchers) {
  std::map<std::pair<std::string, std::string>, Result<News>> seen;
  std::erase_if(watchers, [&](const auto& watcher) {
    if (watcher->stream->closed()) {
      // The client went, or the server drains: then it is told the end.
      static_cast<void>(watcher->stream->finish().ok());
      return true;
    }
    if (!watcher->stream->has_room()) return false;
    const auto key = std::make_pair(watcher->topic, watcher->cursor);
    auto found = seen.find(key);
    if (found == seen.end()) found = seen.emplace(key, watcher->look(watcher->cursor)).first;
    return !serve(*watcher, found->second);
  });
}

// False when the stream has ended. Does not wait: the stream has room.
bool LiveStreams::serve(Watcher& watcher, const Result<News>& news) {
  if (!news.ok()) {
    log::warn("a live stream ends early",
              {{"topic", watcher.topic}, {"why", news.error().message}});
    return false;
  }
  const std::int64_t now_ns = clock_.monotonic_ns();
  const bool is_quiet =
      now_ns - watcher.written_ns >= std::chrono::nanoseconds(options_.heartbeat).count();
  if (!news->events.empty()) {
    if (!watcher.stream->write(news->events).ok()) return false;
    watcher.cursor = news->cursor;
    watcher.written_ns = now_ns;
  } else if (is_quiet && !news->is_over) {
    if (!watcher.stream->write(":\n\n").ok()) return false;
    watcher.written_ns = now_ns;
  }
  if (!news->is_over) return true;
  // A failure says that the client has gone, which is as good an end.
  static_cast<void>(watcher.stream->finish().ok());
  return false;
}

}  // namespace ciclo::http
