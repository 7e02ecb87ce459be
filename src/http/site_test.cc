// SPDX-License-Identifier: Apache-2.0
#include "http/site.h"

#include <gtest/gtest.h>

#include <string>

namespace ciclo::http {
namespace {

bool is_refused(const std::string& host, const std::string& origin, const SitePolicy& policy = {},
                const std::string& method = "POST") {
  Request request;
  request.method = method;
  request.headers.add("Host", host);
  if (!origin.empty()) request.headers.add("Origin", origin);
  const auto refusal = refused_site(request, policy);
  EXPECT_EQ(refusal.value_or(Refusal{403, ""}).status, 403);
  return refusal.has_value();
}

TEST(Site, answers_to_addresses_and_names_that_nobody_else_can_own) {
  for (const char* host : {"127.0.0.1:5000", "10.1.2.3", "[::1]:5000", "[fe80::1]", "localhost",
                           "LOCALHOST:80", "ciclo", "ciclo:5000", "a.localhost", "printer.local:80",
                           "metadata.internal", "ciclo.ml.svc:5000", ""}) {
    EXPECT_FALSE(is_refused(host, "")) << host;
  }
}

TEST(Site, refuses_other_names_until_they_are_allowed) {
  for (const char* host : {"evil.example", "evil.example:5000", "127.0.0.1.evil.example",
                           "localhost.evil.example", "1.2.3.4x.com"}) {
    EXPECT_TRUE(is_refused(host, "", {}, "GET")) << host;
  }
  const SitePolicy policy{.hosts = {"ml.example.com", "*.corp.example"}};
  EXPECT_FALSE(is_refused("ML.example.com:443", "", policy));
  EXPECT_FALSE(is_refused("a.b.corp.example", "", policy));
  EXPECT_TRUE(is_refused("corp.example", "", policy));
  EXPECT_TRUE(is_refused("xcorp.example", "", policy));
  EXPECT_TRUE(is_refused("ml.example.com.evil.example", "", policy));
  EXPECT_FALSE(is_refused("whatever.example", "", {.hosts = {"*"}}));
}

TEST(Site, pages_of_other_sites_may_read_nothing_and_change_nothing) {
  for (const char* origin : {"http://evil.example", "https://127.0.0.1.evil.example", "null",
                             "http://10.0.0.9:5000", "nonsense"}) {
    EXPECT_TRUE(is_refused("127.0.0.1:5000", origin)) << origin;
    EXPECT_TRUE(is_refused("127.0.0.1:5000", origin, {}, "DELETE")) << origin;
    // Without a header that allows it, the browser keeps the answer from the page.
    EXPECT_FALSE(is_refused("127.0.0.1:5000", origin, {}, "GET")) << origin;
  }
}

TEST(Site, own_pages_and_those_under_development_may_change_things) {
  EXPECT_FALSE(is_refused("10.0.0.9:5000", "http://10.0.0.9:5000"));
  EXPECT_FALSE(is_refused("ciclo:5000", "http://CICLO:5000"));
  EXPECT_FALSE(is_refused("10.0.0.9:5000", "http://localhost:3000"));
  EXPECT_FALSE(is_refused("10.0.0.9:5000", "http://127.0.0.1:5173"));
  const SitePolicy policy{.origins = {"https://notebooks.example.com"}};
  EXPECT_FALSE(is_refused("10.0.0.9:5000", "https://notebooks.example.com", policy));
  EXPECT_TRUE(is_refused("10.0.0.9:5000", "https://notebooks.example.com.evil.example", policy));
  EXPECT_TRUE(is_refused("10.0.0.9:5000", "http://notebooks.example.com", policy));
  EXPECT_FALSE(is_refused("10.0.0.9:5000", "null", {.origins = {"*"}}));
}

}  // namespace
}  // namespace ciclo::http
