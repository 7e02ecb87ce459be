// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "http/accept.h"
#include "http/connection.h"

namespace ciclo::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kTickMax{1'000};
constexpr std::chrono::milliseconds kTickMin{5};

// How often time limits are looked at: often enough for the shortest of them.
std::chrono::milliseconds tick_of(const ServerOptions& options) {
  const auto shortest = std::min({options.header_timeout, options.body_timeout,
                                  options.body_rate_grace, options.idle_timeout});
  return std::clamp(shortest / 4, kTickMin, kTickMax);
}

Result<tcp::endpoint> read_endpoint(asio::io_context& io, const std::string& listen) {
  const auto colon = listen.rfind(':');
  const auto wrong = [&] {
    return invalid_argument("the address to listen on must be HOST:PORT, got " + quoted(listen));
  };
  if (colon == std::string::npos || colon == 0) return wrong();
  const auto port = parse_int(std::string_view(listen).substr(colon + 1));
  if (!port || *port < 0 || *port > 65535) return wrong();
  std::string host = listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (!error) return tcp::endpoint(address, static_cast<std::uint16_t>(*port));
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, std::to_string(*port), tcp::resolver::passive, error);
  if (error || found.empty())
    return invalid_argument("cannot listen on " + listen + ": unknown host");
  return found.begin()->endpoint();
}

// Offers HTTP/1.1 to a client that asks by ALPN (RFC 7301).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* in, unsigned int in_length, void*) {
  static constexpr unsigned char kOffered[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int status =
      SSL_select_next_proto(&chosen, out_length, kOffered, sizeof kOffered - 1, in, in_length);
  *out = chosen;
  return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Result<std::unique_ptr<asio::ssl::context>> make_tls(const ServerOptions& options) {
  if (options.certificate_file.empty() && options.private_key_file.empty()) return {nullptr};
  if (options.certificate_file.empty() || options.private_key_file.empty()) {
    return invalid_argument("TLS needs both a certificate and a private key");
  }
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // A renegotiation is a cheap way to make a server work; nobody needs it.
  SSL_CTX_set_options(context->native_handle(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Buffers of idle connections are given back.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context->native_handle(), &choose_protocol, nullptr);
  context->use_certificate_chain_file(options.certificate_file, error);
  if (error) {
    return invalid_argument("cannot use the certificate " + options.certificate_file + ": " +
                            error.message());
  }
  context->use_private_key_file(options.private_key_file, asio::ssl::context::pem, error);
  if (error) {
    return invalid_argument("cannot use the private key " + options.private_key_file + ": " +
                            error.message());
  }
  return context;
}

class AsioServer : public Server {
 public:
  AsioServer(const Router& router, Clock& clock, Random& random, const ServerOptions& options)
      : core_(router, clock, options), tick_(tick_of(options)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options.loops, 1); ++i) {
      loops_.push_back(std::make_shared<Loop>(random.next()));
    }
  }

  ~AsioServer() override { stop(); }

  Result<void> open();

  std::string address() const override { return address_; }
  ServerStats stats() const override;
  void drain(std::chrono::milliseconds limit) override;

 private:
  void accept();
  void on_accepted(const std::shared_ptr<Loop>& loop, error_code error, tcp::socket socket);
  void adopt(const std::shared_ptr<Loop>& loop, tcp::socket socket);
  void watch(const std::shared_ptr<Loop>& loop);
  void close_acceptor();
  bool all_closed_within(std::chrono::milliseconds limit);
  void stop();

  // Drains or closes every connection of every loop.
  void each_connection(void (Connection::*act)());

  ServerCore core_;
  const std::chrono::milliseconds tick_;
  std::vector<std::shared_ptr<Loop>> loops_;  // shared with parked replies
  std::unique_ptr<tcp::acceptor> acceptor_;   // on the first loop
  std::unique_ptr<asio::steady_timer> accept_pause_;
  std::string address_;
  std::vector<std::thread> threads_;
};

Result<void> AsioServer::open() {
  auto& io = loops_.front()->io;
  TRY(const auto endpoint, read_endpoint(io, core_.options.listen));
  TRY(core_.tls, make_tls(core_.options));
  acceptor_ = std::make_unique<tcp::acceptor>(io);
  accept_pause_ = std::make_unique<asio::steady_timer>(io);
  error_code error;
  acceptor_->open(endpoint.protocol(), error);
  // Not SO_REUSEPORT: a second server on the address must fail, and a drain must not lose
  // connections that the kernel has already given to a closed socket.
  if (!error) acceptor_->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(kBacklog, error);
  if (error)
    return unavailable("cannot listen on " + core_.options.listen + ": " + error.message());
  const auto bound = acceptor_->local_endpoint(error);
  const std::string host = bound.address().to_string();
  address_ =
      (bound.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(bound.port());

  core_.workers = std::make_unique<WorkerPool>(
      "http-worker", std::max<std::size_t>(core_.options.workers, 1), core_.options.queue_max);
  accept();
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    watch(loops_[i]);
    threads_.emplace_back([loop = loops_[i], i] {
      set_thread_name("http-loop-" + std::to_string(i));
      const auto work = asio::make_work_guard(loop->io);
      loop->io.run();
    });
  }
  return {};
}

// One acceptor hands connections out to the loop that has the fewest.
void AsioServer::accept() {
  const auto loop =
      *std::min_element(loops_.begin(), loops_.end(), [](const auto& a, const auto& b) {
        return a->open.load(std::memory_order_relaxed) < b->open.load(std::memory_order_relaxed);
      });
  acceptor_->async_accept(loop->io, [this, loop](error_code error, tcp::socket socket) {
    on_accepted(loop, error, std::move(socket));
  });
}

void AsioServer::on_accepted(const std::shared_ptr<Loop>& loop, error_code error,
                             tcp::socket socket) {
  if (!acceptor_->is_open()) return;
  if (pauses_accepting(error)) {
    log::warn("cannot accept a connection", {{"why", error.message()}});
    accept_pause_->expires_after(std::chrono::milliseconds(100));
    accept_pause_->async_wait([this](error_code cancelled) {
      if (!cancelled && acceptor_->is_open()) accept();
    });
    return;
  }
  if (!error) adopt(loop, std::move(socket));
  accept();
}

void AsioServer::adopt(const std::shared_ptr<Loop>& loop, tcp::socket socket) {
  bool full = false;
  {
    std::lock_guard lock(core_.mutex);
    full = core_.open >= core_.options.connections_max;
    if (!full) ++core_.open;
  }
  auto connection = std::make_shared<Connection>(core_, loop, std::move(socket));
  if (full) {
    core_.refused.fetch_add(1, std::memory_order_relaxed);
    return connection->turn_away();
  }
  loop->open.fetch_add(1, std::memory_order_relaxed);
  const auto begin = [loop, connection] {
    loop->connections.emplace(connection.get(), connection);
    connection->start();
  };
  if (loop->on_thread()) {
    begin();
  } else {
    loop->post(begin);
  }
}

// Looks at the time limits of the loop's connections, again and again.
void AsioServer::watch(const std::shared_ptr<Loop>& loop) {
  loop->tick.expires_after(tick_);
  loop->tick.async_wait([this, loop](error_code cancelled) {
    if (cancelled) return;
    const std::int64_t now = core_.clock.monotonic_ns();
    std::vector<std::shared_ptr<Connection>> late;
    for (const auto& [key, connection] : loop->connections) {
      if (connection->overdue(now)) late.push_back(connection);
    }
    for (const auto& connection : late) connection->time_out(now);
    // A stopped loop would keep the timer, and the timer the loop, for ever.
    if (!loop->has_stopped()) watch(loop);
  });
}

ServerStats AsioServer::stats() const {
  ServerStats stats;
  stats.requests = core_.requests.load(std::memory_order_relaxed);
  stats.refused = core_.refused.load(std::memory_order_relaxed);
  stats.body_bytes_held = core_.bodies->held();
  stats.routes = core_.counts.read();
  for (const auto& loop : loops_)
    stats.connections_open += loop->open.load(std::memory_order_relaxed);
  return stats;
}

// Returns when it is closed: no connection is adopted after.
void AsioServer::close_acceptor() {
  std::promise<void> closed;
  loops_.front()->post([this, &closed] {
    error_code ignored;
    acceptor_->close(ignored);
    accept_pause_->cancel();
    closed.set_value();
  });
  closed.get_future().wait();
}

void AsioServer::each_connection(void (Connection::*act)()) {
  for (const auto& loop : loops_) {
    loop->post([loop, act] {
      std::vector<std::shared_ptr<Connection>> all;
      for (const auto& [key, connection] : loop->connections) all.push_back(connection);
      for (const auto& connection : all) (connection.get()->*act)();
    });
  }
}

void AsioServer::drain(std::chrono::milliseconds limit) {
  core_.draining = true;
  close_acceptor();
  each_connection(&Connection::drain);
  all_closed_within(limit);
}

bool AsioServer::all_closed_within(std::chrono::milliseconds limit) {
  std::unique_lock lock(core_.mutex);
  return core_.all_closed.wait_for(lock, limit, [this] { return core_.open == 0; });
}

void AsioServer::stop() {
  if (threads_.empty()) return;
  core_.draining = true;
  close_acceptor();
  // Handlers that wait for a client fail now, so that the workers can end. A connection that was
  // handed to its loop just before is found in the next round.
  do {
    each_connection(&Connection::close);
  } while (!all_closed_within(std::chrono::milliseconds(10)));
  core_.workers.reset();
  for (const auto& loop : loops_) {
    loop->post([loop] { loop->io.stop(); });
  }
  for (auto& thread : threads_) thread.join();
  for (const auto& loop : loops_) {
    std::lock_guard lock(loop->mutex);
    loop->stopped = true;
  }
  for (const auto& loop : loops_) loop->tick.cancel();
  // What is left in the queues holds references to connections; run, it finds them closed.
  for (const auto& loop : loops_) {
    loop->io.restart();
    loop->io.poll();
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const Router& router, Clock& clock, Random& random,
                                              ServerOptions options) {
  auto server = std::make_unique<AsioServer>(router, clock, random, options);
  TRY(server->open());
  return Result<std::unique_ptr<Server>>(std::move(server));
}

}  // namespace ciclo::http
