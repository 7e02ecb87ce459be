// SPDX-License-Identifier: Apache-2.0
#include "http/live_streams.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>

#include "base/random.h"
#include "http/raw_client.h"
#include "http/router.h"
#include "http/server.h"

namespace ciclo::http {
namespace {

// Things that change, by name, and who asked for them.
class World {
 public:
  void change(const std::string& name, const std::string& value, bool is_over = false) {
    const std::lock_guard lock(mutex_);
    things_[name] = {value, is_over};
    ++version_;
    changed_.notify_all();
  }
  Result<LiveStreams::News> look(const std::string& name, const std::string& cursor) {
    const std::lock_guard lock(mutex_);
    ++looks_[name];
    const auto found = things_.find(name);
    if (found == things_.end()) return not_found("there is no " + name);
    const auto& [value, is_over] = found->second;
    if (value == cursor) return LiveStreams::News{{}, cursor, is_over};
    return LiveStreams::News{event_text("changed", "", value), value, is_over};
  }
  void forget(const std::string& name) {
    const std::lock_guard lock(mutex_);
    things_.erase(name);
  }
  void wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return version_ != seen_; });
    seen_ = version_;
    ++rounds_;
  }
  int looks(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return looks_[name];
  }
  // At one moment, how much more often there was a look than a round.
  int looks_beyond_rounds(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return looks_[name] - rounds_;
  }
  int rounds() {
    const std::lock_guard lock(mutex_);
    return rounds_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::pair<std::string, bool>> things_;  // guarded by mutex_
  std::map<std::string, int> looks_;                            // guarded by mutex_
  std::uint64_t version_ = 0;                                   // guarded by mutex_
  std::uint64_t seen_ = 0;                                      // guarded by mutex_
  int rounds_ = 0;                                              // guarded by mutex_
};

class LiveStreamsTest : public testing::Test {
 protected:
  LiveStreamsTest() {
    live_ = std::make_unique<LiveStreams>(
        clock_, [this](auto time) { world_.wait(time); },
        LiveStreams::Options{.poll = std::chrono::milliseconds(5),
                             .pause = std::chrono::milliseconds(1)});
    router_.add("GET", "/watch/{name}", [this](Request& request, Reply reply) {
      const std::string name(request.path_value("name"));
      const auto followed = live_->follow(reply, name, [this, name](const std::string& cursor) {
        return world_.look(name, cursor);
      });
      if (!followed.ok()) reply.send(Response::text(followed.error().message, 404));
    });
    router_.add("GET", "/hello",
                [](Request&, Reply reply) { reply.send(Response::text("hello")); });
    ServerOptions options;
    options.access_log = false;
    options.workers = 1;
    auto server = Server::start(router_, clock_, random_, options);
    EXPECT_TRUE(server.ok());
    server_ = std::move(*server);
  }

  std::unique_ptr<RawClient> watch(const std::string& name) {
    auto client = std::make_unique<RawClient>(server_->address());
    client->send("GET /watch/" + name + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(client->read_until("\r\n\r\n").starts_with("HTTP/1.1 200")) << name;
    return client;
  }
  static bool sees(RawClient& client, const std::string& value) {
    return !client.read_until("data: " + value + "\n\n").empty();
  }
  void await_watchers(std::size_t count) {
    while (live_->watchers() != count) std::this_thread::yield();
  }

  SystemClock clock_;
  SystemRandom random_;
  World world_;
  Router router_;
  std::unique_ptr<LiveStreams> live_;
  std::unique_ptr<Server> server_;
};

TEST_F(LiveStreamsTest, many_watchers_hold_no_worker) {
  world_.change("run", "1");
  std::vector<std::unique_ptr<RawClient>> watchers;
  for (int i = 0; i < 20; ++i) watchers.push_back(watch("run"));
  // The only worker is free.
  RawClient other(server_->address());
  other.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(other.read_response().ends_with("hello"));
  for (auto& watcher : watchers) EXPECT_TRUE(sees(*watcher, "1"));
  world_.change("run", "2");
  for (auto& watcher : watchers) EXPECT_TRUE(sees(*watcher, "2"));
  world_.change("run", "3", true);
  for (auto& watcher : watchers)
    EXPECT_TRUE(watcher->read_until("0\r\n\r\n").ends_with("0\r\n\r\n"));
  await_watchers(0);
}

TEST_F(LiveStreamsTest, watchers_of_one_topic_cost_one_look_a_round) {
  world_.change("run", "1");
  std::vector<std::unique_ptr<RawClient>> watchers;
  for (int i = 0; i < 20; ++i) watchers.push_back(watch("run"));
  await_watchers(20);
  const int before = world_.looks_beyond_rounds("run");
  const int rounds = world_.rounds();
  while (world_.rounds() < rounds + 20) std::this_thread::yield();
  // A look of the round that is under way is not counted as a round yet.
  EXPECT_LE(world_.looks_beyond_rounds("run"), before + 1);
}

TEST_F(LiveStreamsTest, a_watcher_whose_client_has_gone_is_dropped) {
  world_.change("a", "1");
  world_.change("b", "1");
  auto stays = watch("a");
  {
    const auto goes = watch("b");
    await_watchers(2);  // else the one that stays could pass for the one that is left
  }
  await_watchers(1);
  const int looks = world_.looks("b");
  const int rounds = world_.rounds();
  while (world_.rounds() < rounds + 5) std::this_thread::yield();
  EXPECT_EQ(world_.looks("b"), looks);
  world_.change("a", "2");
  EXPECT_TRUE(sees(*stays, "2"));
}

TEST_F(LiveStreamsTest, a_first_look_that_fails_leaves_the_reply_to_its_handler) {
  RawClient client(server_->address());
  client.send("GET /watch/none HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(client.read_response().ends_with("there is no none"));
  EXPECT_EQ(live_->watchers(), 0U);
}

TEST_F(LiveStreamsTest, what_is_over_at_once_is_not_followed) {
  world_.change("run", "1", true);
  const auto client = watch("run");
  EXPECT_TRUE(sees(*client, "1"));
  EXPECT_EQ(live_->watchers(), 0U);
}

TEST_F(LiveStreamsTest, a_look_that_fails_later_cuts_the_stream) {
  world_.change("run", "1");
  const auto client = watch("run");
  world_.forget("run");
  EXPECT_FALSE(client->read_all().ends_with("0\r\n\r\n"));
  await_watchers(0);
}

TEST_F(LiveStreamsTest, drain_and_end_do_not_wait_for_watchers) {
  world_.change("run", "1");
  const auto client = watch("run");
  await_watchers(1);
  server_->drain(std::chrono::seconds(60));
  EXPECT_EQ(server_->stats().connections_open, 0U);
  EXPECT_TRUE(client->read_all().ends_with("0\r\n\r\n"));
  live_.reset();
}

TEST_F(LiveStreamsTest, ending_the_follower_ends_its_streams_in_order) {
  world_.change("run", "1");
  const auto client = watch("run");
  await_watchers(1);  // the head comes before the handler has left `follow`
  live_.reset();
  EXPECT_TRUE(client->read_until("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

// A stream without a socket, whose client reads when the test says so.
struct Page {
  std::atomic<bool> has_room{true};
  std::atomic<int> writes{0};
  std::atomic<bool> ended{false};
};
class PageStream : public Stream {
 public:
  explicit PageStream(Page& page) : page_(page) {}
  ~PageStream() override { page_.ended = true; }
  Result<void> write(std::string_view) override {
    ++page_.writes;
    return {};
  }
  Result<void> finish() override { return {}; }
  bool has_room() const override { return page_.has_room; }
  bool closed() const override { return false; }

 private:
  Page& page_;
};
class PageSink : public Reply::Sink {
 public:
  explicit PageSink(Page& page) : page_(page) {}
  void send(Response) override {}
  std::unique_ptr<Stream> stream(int, Headers) override {
    return std::make_unique<PageStream>(page_);
  }
  void send_file(int, Headers, const std::string&, std::uint64_t, std::uint64_t) override {}

 private:
  Page& page_;
};

TEST_F(LiveStreamsTest, a_slow_client_holds_nobody_up_and_sees_the_newest_later) {
  Page slow;
  Page quick;
  world_.change("run", "1");
  for (Page* page : {&slow, &quick}) {
    Reply reply(std::make_shared<PageSink>(*page));
    ASSERT_TRUE(
        live_
            ->follow(reply, "run",
                     [this](const std::string& cursor) { return world_.look("run", cursor); })
            .ok());
  }
  slow.has_room = false;
  // A round may be under way that has seen the room.
  const int rounds = world_.rounds();
  while (world_.rounds() < rounds + 2) std::this_thread::yield();
  for (const auto* value : {"2", "3", "4"}) {
    const int before = quick.writes;
    world_.change("run", value);
    while (quick.writes == before) std::this_thread::yield();
  }
  EXPECT_EQ(slow.writes, 1);
  slow.has_room = true;
  while (slow.writes < 2) std::this_thread::yield();
  live_.reset();
  EXPECT_EQ(slow.writes, 2);
  EXPECT_TRUE(slow.ended && quick.ended);
}

TEST(LiveStreamsHeartbeat, a_quiet_stream_gets_a_comment_now_and_then) {
  SimClock time;
  World world;
  Page page;
  world.change("run", "1");
  LiveStreams live(time, [&](auto wait) { world.wait(wait); },
                   {.poll = std::chrono::milliseconds(1), .pause = std::chrono::milliseconds(1)});
  Reply reply(std::make_shared<PageSink>(page));
  ASSERT_TRUE(live.follow(reply, "run",
                          [&](const std::string& cursor) { return world.look("run", cursor); })
                  .ok());
  EXPECT_EQ(page.writes, 1);
  const int rounds = world.rounds();
  while (world.rounds() < rounds + 5) std::this_thread::yield();
  EXPECT_EQ(page.writes, 1);
  time.advance_ms(15'000);
  while (page.writes < 2) std::this_thread::yield();
}

}  // namespace
}  // namespace ciclo::http
