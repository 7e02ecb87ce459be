// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace ciclo::http {

using Handler = std::function<void(Request&, Reply)>;

// Where a handler runs: plain blocking code on the worker pool, or on the event loop for what is
// trivial (no lock that is held long, no disk, under about 50 µs). On the loop the body is
// complete.
enum class RunOn { kWorker, kLoop };

struct RouteOptions {
  RunOn run_on = RunOn::kWorker;
  // More is answered 413. 0: what the server allows for such a body.
  std::size_t body_bytes_max = 0;
  // True: the handler starts at once and reads the body as it comes; false: it starts with all of
  // it.
  bool stream_body = false;
};

// Paths are literal segments, "{name}" for one segment, "{name:int}" for one of digits, and
// "{name*}" at the end for all that is left (which may be empty or hold slashes). A literal wins
// over a parameter. Segments are matched before they are decoded, so an encoded slash stays inside
// its segment. A route is added before the server starts; matching is safe from many threads.
// "/a/{rest*}" matches "/a" and
// "/a/" too, with an empty rest; elsewhere a trailing slash makes another path.
class Router {
 public:
  Router();
  ~Router();

  // A route that exists already, or a malformed one, is a bug. So is a streamed body on the loop.
  void add(std::string_view method, std::string_view path, Handler handler,
           RouteOptions options = {});

  struct Route {
    Handler handler;
    RouteOptions options;
    std::string method;
    std::string path;        // as added; the label of metrics and access log
    std::size_t number = 0;  // its place in routes()
  };
  struct Match {
    const Route* route = nullptr;      // nullptr: no such path
    std::vector<std::string> allowed;  // the path exists with these methods only, sorted: 405
    std::vector<std::pair<std::string, std::string>> parameters;  // decoded
  };
  // HEAD matches GET.
  Match match(std::string_view method, std::string_view raw_path) const;

  // In the order of add; they live as long as the router.
  std::vector<const Route*> routes() const;
  // "METHOD /path" of all routes, sorted. For the reference documentation and its test.
  std::vector<std::string> list() const;

  // Answers what no route matches (status 404, 405) and what the server itself refuses before a
  // handler runs (400, 408, 413, 431, 503) with the shape that the path's protocol uses, the
  // longest prefix of all that fit; plain_error where none does.
  using ErrorShape = std::function<Response(const Request&, int status, std::string_view message)>;
  void set_error_shape(std::string_view path_prefix, ErrorShape shape);
  Response error_response(const Request& request, int status, std::string_view message) const;
  // {"error": "…"}
  static Response plain_error(int status, std::string_view message);

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  std::vector<std::unique_ptr<Route>> routes_;
  std::vector<std::pair<std::string, ErrorShape>> shapes_;
};

}  // namespace ciclo::http
