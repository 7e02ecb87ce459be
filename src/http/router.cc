// SPDX-License-Identifier: Apache-2.0
#include "http/router.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"

namespace ciclo::http {
namespace {

// One segment of a route: a literal, or a parameter.
struct Segment {
  enum class Kind { kLiteral, kInt, kText, kRest };
  Kind kind = Kind::kLiteral;
  std::string text;  // the literal, or the parameter's name
};

Segment read_segment(std::string_view text) {
  const bool opens = text.starts_with('{');
  const bool closes = text.ends_with('}');
  CHECK(opens == closes);
  if (!opens) {
    CHECK(text.find_first_of("{}%") == std::string_view::npos);
    return {Segment::Kind::kLiteral, std::string(text)};
  }
  std::string_view name = text.substr(1, text.size() - 2);
  Segment::Kind kind = Segment::Kind::kText;
  if (name.ends_with(":int")) {
    kind = Segment::Kind::kInt;
    name.remove_suffix(4);
  } else if (name.ends_with('*')) {
    kind = Segment::Kind::kRest;
    name.remove_suffix(1);
  }
  CHECK(!name.empty());
  CHECK(name.find_first_of("{}*:") == std::string_view::npos);
  return {kind, std::string(name)};
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The segments of a path, decoded one by one; nullopt for a broken escape.
std::optional<std::vector<std::string>> decoded_segments(std::string_view raw_path) {
  std::vector<std::string> out;
  for (const auto part : split(raw_path.substr(1), '/')) {
    auto decoded = percent_decode(part, Plus::kKeep);
    if (!decoded) return std::nullopt;
    out.push_back(std::move(*decoded));
  }
  return out;
}

std::string join_from(std::span<const std::string> segments) {
  std::string out;
  for (const auto& segment : segments) {
    if (&segment != segments.data()) out.push_back('/');
    out += segment;
  }
  return out;
}

}  // namespace

struct Router::Node {
  // What ends here: by method, the route and its parameters' names in the order of the path.
  struct End {
    const Route* route = nullptr;
    std::vector<std::string> names;
  };
  using Ends = std::map<std::string, End, std::less<>>;

  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> integer;
  std::unique_ptr<Node> text;
  Ends ends;
  Ends rest_ends;  // of "{name*}"

  Node& child(const Segment& segment) {
    auto& slot = segment.kind == Segment::Kind::kLiteral ? literals[segment.text]
                 : segment.kind == Segment::Kind::kInt   ? integer
                                                         : text;
    if (!slot) slot = std::make_unique<Node>();
    return *slot;
  }
};

namespace {

// Walks the tree, the more particular branch first, until an end has the method. Each node is
// visited at most once, so the cost is bounded by the number of routes.
template <class Node>
class Search {
 public:
  Search(std::string_view method, std::span<const std::string> segments, Router::Match& out)
      : method_(method), segments_(segments), out_(out) {}

  bool visit(const Node& node, std::size_t depth) {
    if (depth == segments_.size()) return take(node.ends) || take_rest(node, depth);
    const std::string& segment = segments_[depth];
    const auto literal = node.literals.find(segment);
    if (literal != node.literals.end() && visit(*literal->second, depth + 1)) return true;
    if (node.integer && is_digits(segment) && visit_parameter(*node.integer, depth)) return true;
    if (node.text && !segment.empty() && visit_parameter(*node.text, depth)) return true;
    return take_rest(node, depth);
  }

 private:
  bool visit_parameter(const Node& node, std::size_t depth) {
    values_.push_back(segments_[depth]);
    if (visit(node, depth + 1)) return true;
    values_.pop_back();
    return false;
  }

  bool take_rest(const Node& node, std::size_t depth) {
    if (node.rest_ends.empty()) return false;
    values_.push_back(join_from(segments_.subspan(depth)));
    if (take(node.rest_ends)) return true;
    values_.pop_back();
    return false;
  }

  bool take(const typename Node::Ends& ends) {
    auto found = ends.find(method_);
    if (found == ends.end() && method_ == "HEAD") found = ends.find("GET");
    if (found == ends.end()) {
      for (const auto& [method, end] : ends) out_.allowed.push_back(method);
      return false;
    }
    const auto& end = found->second;
    out_.route = end.route;
    out_.allowed.clear();
    for (std::size_t i = 0; i < values_.size(); ++i) {
      out_.parameters.emplace_back(end.names[i], std::move(values_[i]));
    }
    return true;
  }

  std::string_view method_;
  std::span<const std::string> segments_;
  Router::Match& out_;
  std::vector<std::string> values_;
};

void complete_allowed(std::vector<std::string>& allowed) {
  if (allowed.empty()) return;
  if (std::find(allowed.begin(), allowed.end(), "GET") != allowed.end())
    allowed.emplace_back("HEAD");
  allowed.emplace_back("OPTIONS");
  std::sort(allowed.begin(), allowed.end());
  allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(std::string_view method, std::string_view path, Handler handler,
                 RouteOptions options) {
  CHECK(path.starts_with('/'));
  CHECK(handler != nullptr);
  // On the loop a body is always complete.
  CHECK(options.run_on == RunOn::kWorker || !options.stream_body);
  Node* node = root_.get();
  std::vector<std::string> names;
  bool rest = false;
  for (const auto part : split(path.substr(1), '/')) {
    CHECK(!rest);
    const Segment segment = read_segment(part);
    if (segment.kind != Segment::Kind::kLiteral) {
      CHECK(std::find(names.begin(), names.end(), segment.text) == names.end());
      names.push_back(segment.text);
    }
    rest = segment.kind == Segment::Kind::kRest;
    if (!rest) node = &node->child(segment);
  }
  auto route = std::make_unique<Route>(Route{std::move(handler), options, std::string(method),
                                             std::string(path), routes_.size()});
  auto& ends = rest ? node->rest_ends : node->ends;
  const auto inserted =
      ends.try_emplace(std::string(method), Node::End{route.get(), std::move(names)}).second;
  CHECK(inserted);
  routes_.push_back(std::move(route));
}

Router::Match Router::match(std::string_view method, std::string_view raw_path) const {
  Match match;
  if (!raw_path.starts_with('/')) return match;
  const auto segments = decoded_segments(raw_path);
  if (!segments) return match;
  Search<Node> search(method, *segments, match);
  if (!search.visit(*root_, 0)) complete_allowed(match.allowed);
  return match;
}

std::vector<const Router::Route*> Router::routes() const {
  std::vector<const Route*> out;
  for (const auto& route : routes_) out.push_back(route.get());
  return out;
}

std::vector<std::string> Router::list() const {
  std::vector<std::string> out;
  for (const auto& route : routes_) out.push_back(route->method + " " + route->path);
  std::sort(out.begin(), out.end());
  return out;
}

void Router::set_error_shape(std::string_view path_prefix, ErrorShape shape) {
  shapes_.emplace_back(std::string(path_prefix), std::move(shape));
  // The longest prefix that fits is found first.
  std::stable_sort(shapes_.begin(), shapes_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

Response Router::error_response(const Request& request, int status,
                                std::string_view message) const {
  for (const auto& [prefix, shape] : shapes_) {
    if (request.path.starts_with(prefix)) return shape(request, status, message);
  }
  return plain_error(status, message);
}

Response Router::plain_error(int status, std::string_view message) {
  return Response::json(json::dump(json::Value::object({{"error", message}})) + "\n", status);
}

}  // namespace ciclo::http
