// SPDX-License-Identifier: Apache-2.0
#include "http/router.h"

#include <gtest/gtest.h>

namespace ciclo::http {
namespace {

void nothing(Request&, Reply) {}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    for (const auto* path :
         {"/", "/runs", "/runs/{id}", "/runs/search", "/runs/{id}/metrics/{step:int}",
          "/files/{path*}", "/files/list", "/runs/{name}/tags/{key}"}) {
      router_.add("GET", path, nothing);
    }
    router_.add("POST", "/runs", nothing);
    router_.add("PUT", "/runs/search", nothing);
    router_.add("DELETE", "/runs/{run}", nothing);
  }

  // "route name=value …", or "405 A,B", or "404".
  std::string found(std::string_view method, std::string_view path) {
    const auto match = router_.match(method, path);
    if (match.route == nullptr) {
      if (match.allowed.empty()) return "404";
      std::string out = "405";
      for (const auto& allowed : match.allowed) out += " " + allowed;
      return out;
    }
    std::string out = match.route->path;
    for (const auto& [name, value] : match.parameters) out += " " + name + "=" + value;
    return out;
  }

  Router router_;
};

TEST_F(RouterTest, finds_literals_and_parameters) {
  EXPECT_EQ(found("GET", "/"), "/");
  EXPECT_EQ(found("GET", "/runs"), "/runs");
  EXPECT_EQ(found("GET", "/runs/a%20b"), "/runs/{id} id=a b");
  EXPECT_EQ(found("GET", "/runs/r/metrics/12"), "/runs/{id}/metrics/{step:int} id=r step=12");
  EXPECT_EQ(found("GET", "/runs/r/tags/k"), "/runs/{name}/tags/{key} name=r key=k");
}

TEST_F(RouterTest, a_literal_wins_over_a_parameter_unless_it_lacks_the_method) {
  EXPECT_EQ(found("GET", "/runs/search"), "/runs/search");
  EXPECT_EQ(found("DELETE", "/runs/search"), "/runs/{run} run=search");
}

TEST_F(RouterTest, the_rest_may_be_empty_or_hold_slashes) {
  EXPECT_EQ(found("GET", "/files/a/b%2Fc/d"), "/files/{path*} path=a/b/c/d");
  EXPECT_EQ(found("GET", "/files/"), "/files/{path*} path=");
  EXPECT_EQ(found("GET", "/files"), "/files/{path*} path=");
  EXPECT_EQ(found("GET", "/files/list"), "/files/list");
  EXPECT_EQ(found("GET", "/files/list/x"), "/files/{path*} path=list/x");
}

TEST_F(RouterTest, an_encoded_slash_stays_inside_its_segment) {
  EXPECT_EQ(found("GET", "/runs/a%2Fmetrics%2F1"), "/runs/{id} id=a/metrics/1");
}

TEST_F(RouterTest, unknown_paths_are_404) {
  for (const auto* path :
       {"/nothing", "/runs/", "/runs/a/", "//", "/runs/r/metrics/1x", "/runs/r/metrics/",
        "/runs/r/metrics/1234567890123456789", "/runs/%zz", "", "runs"}) {
    EXPECT_EQ(found("GET", path), "404") << path;
  }
}

TEST_F(RouterTest, a_missing_method_names_those_that_exist) {
  EXPECT_EQ(found("PATCH", "/runs"), "405 GET HEAD OPTIONS POST");
  EXPECT_EQ(found("PATCH", "/runs/search"), "405 DELETE GET HEAD OPTIONS PUT");
}

TEST_F(RouterTest, head_finds_get) { EXPECT_EQ(found("HEAD", "/runs"), "/runs"); }

TEST_F(RouterTest, lists_all_routes_sorted) {
  const auto all = router_.list();
  EXPECT_EQ(all.size(), 11U);
  EXPECT_EQ(all.front(), "DELETE /runs/{run}");
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

TEST_F(RouterTest, errors_take_the_shape_of_the_longest_prefix) {
  router_.set_error_shape("/api", [](const Request&, int status, std::string_view) {
    return Response::text("api", status);
  });
  router_.set_error_shape("/api/2.0", [](const Request&, int status, std::string_view message) {
    return Response::text("two " + std::string(message), status);
  });
  Request request;
  request.path = "/api/2.0/x";
  EXPECT_EQ(router_.error_response(request, 404, "no").body, "two no");
  request.path = "/api/1";
  EXPECT_EQ(router_.error_response(request, 404, "no").body, "api");
  request.path = "/";
  EXPECT_EQ(router_.error_response(request, 404, "no \"x\"").body,
            "{\"error\":\"no \\\"x\\\"\"}\n");
}

TEST(RouterDeath, the_same_route_twice_is_a_bug) {
  Router router;
  router.add("GET", "/a/{x}", nothing);
  EXPECT_DEATH(router.add("GET", "/a/{y}", nothing), "inserted");
  EXPECT_DEATH(router.add("GET", "/{x*}/a", nothing), "rest");
}

}  // namespace
}  // namespace ciclo::http
