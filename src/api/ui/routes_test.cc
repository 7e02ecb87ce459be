// SPDX-License-Identifier: Apache-2.0
#include "api/ui/routes.h"

#include <gtest/gtest.h>

#include <array>

#include "http/local.h"

namespace ciclo::api::ui {
namespace {

constexpr std::array<EmbeddedFile, 2> kFiles = {
    {{"/index.html", "text/html; charset=utf-8", "0011", "<p>page</p>", ""},
     {"/assets/index-1.js", "text/javascript; charset=utf-8", "2233", "let a = 1;", "packed"}}};

class Pages : public testing::Test {
 protected:
  Pages() { add_routes(router_, kFiles); }
  http::Response get(std::string_view path, http::Headers headers = {}) {
    return http::call_local(router_, "GET", path, {}, std::move(headers));
  }
  http::Router router_;
};

TEST_F(Pages, the_root_is_the_index_and_is_asked_for_again) {
  const auto root = get("/");
  EXPECT_EQ(root.status, 200);
  EXPECT_EQ(root.body, "<p>page</p>");
  EXPECT_EQ(root.headers.get("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(root.headers.get("Cache-Control"), "no-cache");
  EXPECT_FALSE(root.headers.get("Content-Security-Policy").empty());
  EXPECT_EQ(get("/index.html").body, root.body);
}

TEST_F(Pages, assets_are_compressed_only_for_who_takes_gzip) {
  const auto packed = get("/assets/index-1.js", {{"Accept-Encoding", "br, gzip;q=0.8"}});
  EXPECT_EQ(packed.body, "packed");
  EXPECT_EQ(packed.headers.get("Content-Encoding"), "gzip");
  EXPECT_EQ(packed.headers.get("Vary"), "Accept-Encoding");
  EXPECT_NE(packed.headers.get("Cache-Control").find("immutable"), std::string::npos);
  for (const char* refuses : {"", "br", "gzip;q=0", "gzip; q=0.0"}) {
    const auto plain = get("/assets/index-1.js", {{"Accept-Encoding", refuses}});
    EXPECT_EQ(plain.body, "let a = 1;") << refuses;
    EXPECT_FALSE(plain.headers.has("Content-Encoding"));
  }
}

TEST_F(Pages, what_the_client_has_is_not_sent_again) {
  const auto first = get("/");
  const std::string tag(first.headers.get("ETag"));
  const auto again = get("/", {{"If-None-Match", "\"other\", W/" + tag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_TRUE(again.body.empty());
  EXPECT_EQ(again.headers.get("ETag"), tag);
  EXPECT_EQ(get("/", {{"If-None-Match", "\"other\""}}).status, 200);
}

TEST_F(Pages, the_compressed_form_has_a_tag_of_its_own) {
  const auto plain = get("/assets/index-1.js");
  const auto packed = get("/assets/index-1.js", {{"Accept-Encoding", "gzip"}});
  EXPECT_NE(plain.headers.get("ETag"), packed.headers.get("ETag"));
}

TEST_F(Pages, a_browser_that_leaves_out_the_hash_is_sent_to_the_page) {
  const http::Headers browser{{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}};
  const auto sent = get("/models/a%20b", browser);
  EXPECT_EQ(sent.status, 302);
  EXPECT_EQ(sent.headers.get("Location"), "/#/models/a%20b");
  // Never to another host.
  EXPECT_EQ(get("//example.org", browser).headers.get("Location"), "/#//example.org");
}

TEST_F(Pages, programs_get_an_error_and_no_page) {
  const http::Headers browser{{"Accept", "text/html"}};
  EXPECT_EQ(get("/models").status, 404);
  EXPECT_EQ(get("/models", {{"Accept", "application/json"}}).status, 404);
  for (const auto* path : {"/api", "/api/v1/x", "/ajax-api/2.0/x", "/v2/x", "/endpoints/x",
                           "/assets/old.js", "/metrics"}) {
    EXPECT_EQ(get(path, browser).status, 404) << path;
  }
  EXPECT_EQ(http::call_local(router_, "POST", "/models", {}, browser).status, 404);
  EXPECT_EQ(http::call_local(router_, "POST", "/", {}, browser).status, 405);
  EXPECT_EQ(get("/models").body, "{\"error\":\"no such path\"}\n");
}

TEST(EmbeddedPages, hold_their_bytes) {
  for (const auto& file : files()) {
    EXPECT_FALSE(file.content_type.empty());
    EXPECT_EQ(file.tag.size(), 16U);
    if (file.path == "/index.html") {
      EXPECT_TRUE(file.content.starts_with("<!doctype html>"));
      EXPECT_TRUE(file.content.ends_with("</html>\n"));
    }
    EXPECT_TRUE(file.gzip.empty() || file.gzip.starts_with("\x1f\x8b")) << file.path;
  }
}

}  // namespace
}  // namespace ciclo::api::ui
