// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/random.h"
#include "base/worker_pool.h"
#include "http/body.h"
#include "http/body_budget.h"
#include "http/buffers.h"
#include "http/exchange.h"
#include "http/parser.h"
#include "http/request_counts.h"
#include "http/router.h"
#include "http/server.h"

// The inside of the server: connections and the loops that they live on. Only server.cc and the
// three parts of the connection include this, since Asio's headers are heavy: connection.cc (its
// life and its input), connection_request.cc (from a head to the handler) and connection_answer.cc
// (from the answer to the socket).

namespace ciclo::http {

class Connection;

// Of an unwanted body, thrown away to keep the connection.
inline constexpr std::uint64_t kDiscardBytesMax = 256 << 10;

// What all connections of a server share; outlives them.
struct ServerCore {
  ServerCore(const Router& router_in, Clock& clock_in, const ServerOptions& options_in)
      : router(router_in),
        clock(clock_in),
        options(options_in),
        bodies(std::make_shared<BodyBudget>(options_in.buffered_bytes_max)),
        counts(router_in) {}

  const Router& router;
  Clock& clock;
  const ServerOptions options;
  const std::shared_ptr<BodyBudget> bodies;  // shared with requests, which may outlive the server
  RequestCounts counts;
  std::unique_ptr<WorkerPool> workers;
  std::unique_ptr<boost::asio::ssl::context> tls;  // null: plain
  std::atomic<bool> draining{false};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> refused{0};

  std::mutex mutex;
  std::condition_variable all_closed;
  std::size_t open = 0;  // guarded by mutex
};

// A thread's event loop and the connections that belong to it. Shared with parked replies, which
// may outlive the server and then find it stopped.
struct Loop {
  explicit Loop(std::uint64_t seed) : random(seed) {}

  // Runs the task on the loop's thread; false once the loop has stopped. Safe from any thread.
  template <class F>
  bool post(F&& task) {
    std::lock_guard lock(mutex);
    if (stopped) return false;
    boost::asio::post(io, std::forward<F>(task));
    return true;
  }
  bool has_stopped() {
    std::lock_guard lock(mutex);
    return stopped;
  }
  bool on_thread() { return io.get_executor().running_in_this_thread(); }

  boost::asio::io_context io{1};
  boost::asio::steady_timer tick{io};  // when time limits are looked at next
  SeededRandom random;                 // of request ids
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;  // on the loop's thread
  std::atomic<std::size_t> open{0};

  std::mutex mutex;
  bool stopped = false;  // guarded by mutex
};

// One client. Everything happens on the loop's thread. One request at a time: what is pipelined
// behind it waits in the input buffer, and when that is full, in the kernel.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore& core, std::shared_ptr<Loop> loop, boost::asio::ip::tcp::socket socket);
  ~Connection();

  void start();
  // For one over the limit: answers 503 and closes.
  void turn_away();
  // Closes when idle; otherwise the answer under way is the last.
  void drain();
  void close();
  // Whether a time limit has passed, and what follows from it.
  bool overdue(std::int64_t now_ns) const;
  void time_out(std::int64_t now_ns);

 private:
  friend class ConnectionPort;

  enum class Phase {
    kHandshake,  // of TLS
    kHead,       // between requests, or in a head
    kBody,       // a request's body is arriving; its handler may run already
    kHandling,   // the request is here; its answer is not complete
    kDiscard,    // answered, and the rest of the body is thrown away
    kClosing,    // the output is flushed, then the connection ends
    kLinger,     // our side is closed; the client's last bytes are thrown away
  };

  void handshake();

  // Does what can be done with what is there, then waits for the network.
  void pump();
  bool step();
  bool step_head();
  bool step_body();
  bool step_discard();
  void next_request();
  bool take_body(std::string_view bytes);
  void begin_body_wait();
  void count_body_bytes(std::size_t bytes);

  // From head to handler.
  void begin_request(RequestHead head);
  void fill_request(RequestHead& head);
  bool find_route(const std::string& target);
  bool open_body(const RequestHead& head);
  void body_complete();
  void dispatch();
  void run_on_loop();
  void run_on_worker();
  std::size_t body_bytes_max() const;
  void refuse(int status, std::string_view message, const Headers& more = {});
  void refuse_large_body();
  void refuse_busy(std::string_view message);
  void refuse_malformed(const Refusal& refusal);
  void send(Response response);

  // From answer to output.
  void answer(Answer answer);
  bool may_keep_alive(const Answer& answer) const;
  bool take_stream();
  void answered();
  // Counts it, and writes its line of the access log.
  void record_request(int status);
  void cut();

  void start_read();
  bool wants_input() const;
  InputBuffer::Room make_room();
  void on_read(boost::system::error_code error, std::size_t bytes);
  void on_end_of_input();

  bool flush();
  void take_turns();
  void send_tls();
  void wait_writable();
  bool after_flush();
  void linger();

  std::int64_t now_ns() const { return core_.clock.monotonic_ns(); }
  std::int64_t in(std::chrono::milliseconds wait) const {
    return now_ns() + std::chrono::nanoseconds(wait).count();
  }
  std::string request_id(const Headers& headers) const;

  ServerCore& core_;
  const std::shared_ptr<Loop> loop_;  // shared with parked replies
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  std::string remote_;
  std::shared_ptr<Port> port_;  // shared with parked replies

  Phase phase_ = Phase::kHead;
  InputBuffer input_;
  HeadParser head_parser_;
  BodyParser body_parser_;
  bool reading_ = false;
  bool end_of_input_ = false;
  bool closed_ = false;
  bool pumping_ = false;

  // The request under way.
  std::uint64_t number_ = 0;
  std::shared_ptr<Exchange> exchange_;  // shared with the reply; null between requests
  const Router::Route* route_ = nullptr;
  std::string whole_body_;  // of a route that wants all of it
  BodyHold body_hold_;      // of these bytes, until the exchange has them
  Coding body_coding_ = Coding::kIdentity;
  std::shared_ptr<BodyPipe> pipe_;  // shared with the body of a route that reads as it comes
  std::uint64_t body_bytes_ = 0;    // on the wire
  bool continue_wanted_ = false;    // the client waits for "100 Continue"
  bool keep_alive_ = true;
  bool is_http_1_0_ = false;
  bool has_answer_ = false;
  bool ends_with_connection_ = false;  // as the answer says
  int status_ = 0;
  std::uint64_t answer_bytes_ = 0;
  std::int64_t begun_ns_ = 0;
  std::shared_ptr<StreamBuffer> stream_;  // shared with the thread that writes it

  OutputQueue output_;
  bool writing_ = false;
  std::string in_flight_;  // TLS: what is being written

  std::int64_t read_deadline_ns_ = 0;   // 0: none
  std::int64_t rate_deadline_ns_ = 0;   // when a body that brings nothing more is too slow; 0: none
  std::int64_t write_deadline_ns_ = 0;  // 0: none
};

}  // namespace ciclo::http
