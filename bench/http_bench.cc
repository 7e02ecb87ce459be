// SPDX-License-Identifier: Apache-2.0
//
// A trivial GET over 1 to 10,000 keep-alive connections, most of them idle at any moment: answered
// on the event loop, answered by a worker, and by nginx ("return 200") on the same machine. Every
// server is a process of its own, the load another; runs of the servers alternate.
//
// Two loads: `full` keeps 64 requests under way (fewer on fewer connections) and tells the
// throughput and the CPU time of a request; `paced` sends 2,000 a second at fixed times and tells
// the latency, counted from the moment at which a request was due, so that a stall counts for all
// who wait in it.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "http/server.h"

namespace ciclo {
namespace {

constexpr int kRepetitions = 5;
constexpr std::int64_t kRunNs = 1'000'000'000;
constexpr std::size_t kUnderWayMax = 64;
constexpr std::int64_t kPaceNs = 500'000;
constexpr std::array<std::size_t, 4> kConnections = {1, 64, 1'000, 10'000};
constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

// A server under measurement.
struct Target {
  std::string name;
  pid_t process = 0;
  int port = 0;
};

// Runs `serve` in a process that ends with this one; it writes its port to the descriptor it is
// given.
Target start(const std::string& name, const std::function<void(int)>& serve) {
  std::array<int, 2> channel{};
  CHECK(::pipe(channel.data()) == 0);
  const pid_t process = ::fork();
  CHECK(process >= 0);
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(channel[0]);
    serve(channel[1]);
    ::_exit(0);
  }
  ::close(channel[1]);
  std::array<char, 16> text{};
  const auto got = ::read(channel[0], text.data(), text.size());
  ::close(channel[0]);
  CHECK(got > 0);
  const auto port = parse_int(std::string_view(text.data(), static_cast<std::size_t>(got)));
  CHECK(port.has_value());
  return {name, process, static_cast<int>(*port)};
}

enum class AccessLog { kOff, kOn };

void serve_ciclo(int channel, http::RunOn run_on, AccessLog log) {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ::dup2(nowhere, STDERR_FILENO);
  SystemClock clock;
  SystemRandom random;
  http::Router router;
  router.add("GET", "/",
             [](http::Request&, http::Reply reply) { reply.send(http::Response::text("hello")); },
             {.run_on = run_on});
  http::ServerOptions options;
  options.access_log = log == AccessLog::kOn;
  const auto server = http::Server::start(router, clock, random, options);
  CHECK(server.ok());
  const std::string address = (*server)->address();
  const std::string port = address.substr(address.rfind(':') + 1);
  CHECK(::write(channel, port.data(), port.size()) > 0);
  ::close(channel);
  while (true) ::pause();
}

// A free port, as the kernel hands them out; nginx cannot choose one itself.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(::bind(socket, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  CHECK(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(socket);
  return ntohs(address.sin_port);
}

void serve_nginx(int channel, const std::filesystem::path& folder) {
  const std::string port = std::to_string(free_port());
  const std::string configuration =
      "daemon off; master_process on; worker_processes 2; pid " + (folder / "pid").string() +
      ";\nerror_log " + (folder / "error.log").string() +
      ";\nworker_rlimit_nofile 20000;\nevents { worker_connections 12000; }\n"
      "http { access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;\n"
      "server { listen 127.0.0.1:" +
      port +
      " backlog=4096; default_type text/plain;\n"
      "location / { return 200 \"hello\"; } } }\n";
  CHECK(write_file_durably(folder / "nginx.conf", configuration).ok());
  CHECK(::write(channel, port.data(), port.size()) > 0);
  ::close(channel);
  const std::string path = folder / "nginx.conf";
  ::execlp("nginx", "nginx", "-p", folder.c_str(), "-c", path.c_str(), nullptr);
  ::_exit(127);
}

// The CPU time of a process and its children, and what it holds in memory.
struct Usage {
  double cpu_seconds = 0;
  double resident_mib = 0;
};

void add_usage(pid_t process, Usage& usage) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  if (all.empty()) return;
  // After the name in parentheses: state is field 3, utime 14, stime 15, rss 24 (proc(5)).
  const auto fields = split(std::string_view(all).substr(all.rfind(')') + 2), ' ');
  const auto field = [&](std::size_t number) {
    return static_cast<double>(parse_int(fields[number - 3]).value_or(0));
  };
  usage.cpu_seconds += (field(14) + field(15)) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  usage.resident_mib += field(24) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

Usage usage_of(pid_t process) {
  Usage usage;
  add_usage(process, usage);
  const std::string id = std::to_string(process);
  std::ifstream children("/proc/" + id + "/task/" + id + "/children");
  for (pid_t child = 0; children >> child;) add_usage(child, usage);
  return usage;
}

// Keep-alive connections to one server.
class Connections {
 public:
  Connections(int port, std::size_t count) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.sin_port = htons(static_cast<std::uint16_t>(port));
    for (std::size_t i = 0; i < count; ++i) {
      const int socket = connect_to(peer);
      const int on = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) == 0);
      sockets_.push_back(socket);
      idle_.push_back(i);
    }
    due_.resize(count);
    received_.resize(count);
    // Idle connections are used in a random order, each as often as the others.
    SeededRandom random(1);
    for (std::size_t i = count; i > 1; --i) std::swap(idle_[i - 1], idle_[random.below(i)]);
  }
  ~Connections() {
    for (const int socket : sockets_) ::close(socket);
    ::close(epoll_);
  }
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  std::size_t under_way() const { return sockets_.size() - idle_.size(); }
  bool has_idle() const { return !idle_.empty(); }

  void ask(std::int64_t due_ns) {
    const std::size_t index = idle_.front();
    idle_.pop_front();
    due_[index] = due_ns;
    CHECK(::send(sockets_[index], kRequest.data(), kRequest.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(kRequest.size()));
  }

  // Waits for answers for at most `wait_ms` and passes on the time at which each was due.
  template <class F>
  void collect(int wait_ms, F&& answered) {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < count; ++i) {
      const auto index = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
      if (!receive(index)) continue;
      idle_.push_back(index);
      answered(due_[index]);
    }
  }

 private:
  static int connect_to(const sockaddr_in& peer) {
    // A server that has just been started may not listen yet.
    for (int attempt = 0; attempt < 500; ++attempt) {
      const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      CHECK(socket >= 0);
      if (::connect(socket, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0)
        return socket;
      ::close(socket);
      ::poll(nullptr, 0, 10);
    }
    CHECK(false);
    return -1;
  }

  // True when the answer is complete; all of them end with this body.
  bool receive(std::size_t index) {
    std::array<char, 2048> buffer{};
    const auto got = ::recv(sockets_[index], buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) return false;
    CHECK(got > 0);
    auto& text = received_[index];
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (!text.ends_with("\r\n\r\nhello")) return false;
    CHECK(text.starts_with("HTTP/1.1 200 OK"));
    text.clear();
    return true;
  }

  const int epoll_;
  std::vector<int> sockets_;
  std::deque<std::size_t> idle_;
  std::vector<std::int64_t> due_;
  std::vector<std::string> received_;
};

struct Sample {
  double requests_per_second = 0;
  double cpu_us_per_request = 0;
  double resident_mib = 0;
  double p50_us = 0;
  double p99_us = 0;
};

double quantile_us(std::vector<std::int64_t>& ns, double q) {
  if (ns.empty()) return 0;
  const auto at = ns.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(ns.size() - 1));
  std::nth_element(ns.begin(), at, ns.end());
  return static_cast<double>(*at) / 1000;
}

void run_full(Clock& clock, const Target& target, Connections& connections, Sample& sample) {
  const Usage before = usage_of(target.process);
  const std::int64_t begin = clock.monotonic_ns();
  std::size_t answers = 0;
  while (clock.monotonic_ns() < begin + kRunNs) {
    while (connections.has_idle() && connections.under_way() < kUnderWayMax) connections.ask(0);
    connections.collect(100, [&](std::int64_t) { ++answers; });
  }
  const double seconds = static_cast<double>(clock.monotonic_ns() - begin) / 1e9;
  while (connections.under_way() > 0) connections.collect(1000, [&](std::int64_t) { ++answers; });
  const Usage after = usage_of(target.process);
  sample.requests_per_second = static_cast<double>(answers) / seconds;
  sample.cpu_us_per_request =
      (after.cpu_seconds - before.cpu_seconds) * 1e6 / static_cast<double>(answers);
  sample.resident_mib = after.resident_mib;
}

void run_paced(Clock& clock, Connections& connections, Sample& sample) {
  std::vector<std::int64_t> latencies;
  const auto answered = [&](std::int64_t due) { latencies.push_back(clock.monotonic_ns() - due); };
  std::int64_t due = clock.monotonic_ns();
  const std::int64_t end = due + kRunNs;
  while (due < end) {
    while (due <= clock.monotonic_ns() && connections.has_idle()) {
      connections.ask(due);
      due += kPaceNs;
    }
    connections.collect(0, answered);
  }
  while (connections.under_way() > 0) connections.collect(1000, answered);
  sample.p50_us = quantile_us(latencies, 0.5);
  sample.p99_us = quantile_us(latencies, 0.99);
}

Sample measure(Clock& clock, const Target& target, std::size_t count) {
  Connections connections(target.port, count);
  Sample sample;
  run_paced(clock, connections, sample);
  run_full(clock, target, connections, sample);
  return sample;
}

double median_of(const std::vector<Sample>& samples, double Sample::*member) {
  std::vector<double> values;
  for (const auto& sample : samples) values.push_back(sample.*member);
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

json::Value to_json(const std::vector<Sample>& samples) {
  const auto rounded = [&](double Sample::*member) {
    return static_cast<double>(static_cast<std::int64_t>(median_of(samples, member) * 10 + 0.5)) /
           10;
  };
  json::Value all = json::Value::array();
  for (const auto& sample : samples)
    all.push_back(static_cast<std::int64_t>(sample.requests_per_second));
  return json::Value::object({{"requests_per_second", rounded(&Sample::requests_per_second)},
                              {"requests_per_second_of_each_run", all},
                              {"cpu_us_per_request", rounded(&Sample::cpu_us_per_request)},
                              {"resident_mib", rounded(&Sample::resident_mib)},
                              {"paced_p50_us", rounded(&Sample::p50_us)},
                              {"paced_p99_us", rounded(&Sample::p99_us)}});
}

void allow_many_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  // A thousand files are for the program itself.
  CHECK(limit.rlim_cur >= kConnections.back() + 1000);
}

int run() {
  allow_many_files();
  const TemporaryDirectory folder;
  using http::RunOn;
  const std::vector<Target> targets = {
      start("nginx", [&](int channel) { serve_nginx(channel, folder.path()); }),
      start("loop", [](int channel) { serve_ciclo(channel, RunOn::kLoop, AccessLog::kOff); }),
      start("worker", [](int channel) { serve_ciclo(channel, RunOn::kWorker, AccessLog::kOff); }),
      start("loop_logged", [](int channel) { serve_ciclo(channel, RunOn::kLoop, AccessLog::kOn); }),
  };
  SystemClock clock;
  json::Value report = json::Value::object({{"bench", "http"}, {"repetitions", kRepetitions}});
  for (const std::size_t count : kConnections) {
    std::vector<std::vector<Sample>> samples(targets.size());
    for (int repetition = 0; repetition < kRepetitions; ++repetition) {
      for (std::size_t i = 0; i < targets.size(); ++i) {
        samples[i].push_back(measure(clock, targets[i], count));
      }
    }
    json::Value result = json::Value::object({{"connections", count}});
    for (std::size_t i = 0; i < targets.size(); ++i) result[targets[i].name] = to_json(samples[i]);
    const auto rate = [&](std::size_t i) {
      return median_of(samples[i], &Sample::requests_per_second);
    };
    result["loop_to_nginx"] = rate(1) / rate(0);
    result["worker_to_nginx"] = rate(2) / rate(0);
    std::fprintf(stderr, "%s\n", json::dump(result).c_str());
    report["results"].push_back(std::move(result));
  }
  for (const auto& target : targets) {
    ::kill(target.process, SIGTERM);
    ::waitpid(target.process, nullptr, 0);
  }
  std::fputs(json::dump_pretty(report).c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace ciclo

int main() { return ciclo::run(); }
