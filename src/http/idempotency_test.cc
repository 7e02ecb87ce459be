// SPDX-License-Identifier: Apache-2.0
#include "http/idempotency.h"

#include <gtest/gtest.h>

#include <string>

#include "http/body.h"
#include "http/local.h"
#include "http/router.h"

namespace ciclo::http {
namespace {

Request request_of(std::string method, std::string body, Headers headers) {
  Request request;
  request.method = std::move(method);
  request.path = "/things";
  request.headers = std::move(headers);
  request.body = make_body(std::move(body));
  return request;
}

TEST(Idempotency, a_key_names_the_request_by_method_target_and_body) {
  Request request = request_of("POST", "{}", {{"idempotency-KEY", "a-1"}});
  request.query_text = "x=1";
  ASSERT_TRUE(read_idempotency_key(request, 5).ok());
  ASSERT_NE(request.context.keyed, nullptr);
  EXPECT_EQ(request.context.keyed->key, "a-1");
  EXPECT_EQ(request.context.keyed->request, "POST /things?x=1");
  EXPECT_EQ(request.context.keyed->received_ms, 5);
  Request other = request_of("POST", "{} ", {{"Idempotency-Key", "a-1"}});
  ASSERT_TRUE(read_idempotency_key(other, 5).ok());
  EXPECT_NE(other.context.keyed->body_hash, request.context.keyed->body_hash);
}

TEST(Idempotency, reads_and_requests_without_a_key_have_none) {
  Request read = request_of("GET", "", {{"Idempotency-Key", "a"}});
  ASSERT_TRUE(read_idempotency_key(read, 0).ok());
  EXPECT_EQ(read.context.keyed, nullptr);
  Request write = request_of("POST", "", {});
  ASSERT_TRUE(read_idempotency_key(write, 0).ok());
  EXPECT_EQ(write.context.keyed, nullptr);
}

TEST(Idempotency, a_key_is_1_to_255_visible_ascii_characters) {
  const auto refusal_of = [](Headers headers) {
    Request request = request_of("POST", "", std::move(headers));
    const auto read = read_idempotency_key(request, 0);
    return read.ok() ? std::string() : read.error().message;
  };
  EXPECT_EQ(refusal_of({{"Idempotency-Key", std::string(255, '~')}}), "");
  EXPECT_EQ(refusal_of({{"Idempotency-Key", std::string(256, 'a')}}),
            "Idempotency-Key must be 1 to 255 visible ASCII characters, got 256 characters");
  EXPECT_EQ(refusal_of({{"Idempotency-Key", ""}}),
            "Idempotency-Key must be 1 to 255 visible ASCII characters, got \"\"");
  EXPECT_EQ(refusal_of({{"Idempotency-Key", "a b"}}),
            "Idempotency-Key must be 1 to 255 visible ASCII characters, got \"a b\"");
  EXPECT_NE(refusal_of({{"Idempotency-Key", "\xc3\xa4"}}), "");
  EXPECT_EQ(refusal_of({{"Idempotency-Key", "a"}, {"idempotency-key", "a"}}),
            "Idempotency-Key stands twice: a request has one key");
}

TEST(Idempotency, an_answer_says_that_all_was_done_before) {
  Context context;
  Response first;
  mark_replay(context, first);
  EXPECT_FALSE(first.headers.has("Idempotent-Replayed"));
  context.keyed = std::make_shared<KeyedCall>();
  context.keyed->parts = 2;
  context.keyed->replayed = 1;
  mark_replay(context, first);
  EXPECT_FALSE(first.headers.has("Idempotent-Replayed"));
  context.keyed->replayed = 2;
  mark_replay(context, first);
  EXPECT_EQ(first.headers.get("Idempotent-Replayed"), "true");
}

TEST(Idempotency, a_wrong_key_is_refused_before_the_handler_runs) {
  Router router;
  bool ran = false;
  router.add("POST", "/things", [&](Request&, Reply reply) {
    ran = true;
    reply.send(Response::empty());
  });
  const Response refused = call_local(router, "POST", "/things", "{}", {{"Idempotency-Key", ""}});
  EXPECT_EQ(refused.status, 400);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace ciclo::http
