// SPDX-License-Identifier: Apache-2.0
#include "http/local.h"

#include <gtest/gtest.h>

#include <thread>

namespace ciclo::http {
namespace {

TEST(CallLocal, passes_parameters_query_and_body_and_returns_the_answer) {
  Router router;
  router.add("POST", "/runs/{id}", [](Request& request, Reply reply) {
    auto body = request.body->all();
    ASSERT_TRUE(body.ok());
    reply.send(Response::text(std::string(request.path_value("id")) + " " +
                              std::string(request.query_value("q")) + " " + std::string(*body)));
  });
  EXPECT_EQ(call_local(router, "POST", "/runs/7?q=a+b", "body").body, "7 a b body");
  EXPECT_EQ(call_local(router, "GET", "/runs/7").status, 405);
  EXPECT_EQ(call_local(router, "GET", "/none").status, 404);
}

TEST(CallLocal, waits_for_an_answer_of_another_thread_and_collects_streams) {
  Router router;
  std::thread other;
  router.add("GET", "/", [&](Request&, Reply reply) {
    other = std::thread([parked = std::move(reply)]() mutable {
      auto stream = parked.stream(200, {});
      EXPECT_TRUE(stream->write("a").ok());
      EXPECT_TRUE(stream->write("b").ok());
      EXPECT_TRUE(stream->finish().ok());
    });
  });
  EXPECT_EQ(call_local(router, "GET", "/").body, "ab");
  other.join();
}

}  // namespace
}  // namespace ciclo::http
