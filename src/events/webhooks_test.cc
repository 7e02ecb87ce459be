// SPDX-License-Identifier: Apache-2.0
#include "events/webhooks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "base/log.h"
#include "events/test_webhooks.h"
#include "events/webhook_payload.h"
#include "sql/test_database.h"

namespace ciclo::events {
namespace {

constexpr std::int64_t kStartMs = 1'700'000'000'000;

class WebhooksTest : public testing::TestWithParam<sql::Engine> {
 protected:
  WebhooksTest() {
    log::configure(log::Level::kOff, log::Format::kAuto);  // deliveries are given up here
    const auto migrated = sql::migrate(*database, schema());
    EXPECT_TRUE(migrated.ok()) << migrated.error().message;
    options.attempts_max = 4;
    options.backoff = std::chrono::milliseconds(1'000);
    options.backoff_max = std::chrono::milliseconds(3'000);
    options.owner = "one";
    restart();
  }
  ~WebhooksTest() override { log::configure(log::Level::kInfo, log::Format::kAuto); }

  // A new service over the same database, as after the end of a server.
  void restart() {
    webhooks =
        std::make_unique<Webhooks>(*database, events, clock, random, ids, sender, secrets, options);
  }

  Webhook add(const std::string& name, const std::vector<Topic>& topics,
              const std::string& secret = "") {
    const auto made = webhooks->create(
        context, {.name = name, .url = "https://" + name, .topics = topics, .secret = secret});
    EXPECT_TRUE(made.ok()) << made.error().message;
    return *made;
  }

  void append(std::string_view kind, json::Value body, std::string_view workspace = "default") {
    const auto done = database->transaction(
        [&](sql::Txn& txn) { return events.append(txn, workspace, kind, "m", body); });
    EXPECT_TRUE(done.ok());
  }
  void append_version(int version, std::string_view workspace = "default") {
    append("registry.version_created",
           json::Value::object({{"model", "m"}, {"version", version}, {"source", "s3://b/p"}}),
           workspace);
  }

  // Attempts until nothing is due.
  void deliver_all() {
    for (int i = 0; i < 100; ++i) {
      const auto found = webhooks->deliver_next();
      ASSERT_TRUE(found.ok()) << found.error().message;
      if (!*found) return;
    }
    FAIL() << "deliveries do not end";
  }

  // "HOST:VERSION" of each post.
  std::vector<std::string> posted() const {
    std::vector<std::string> all;
    for (const auto& post : sender.posts) {
      const auto body = json::parse(post.body);
      all.push_back(post.url.substr(8) + ":" + body->find("data")->string_or("version", "?"));
    }
    return all;
  }

  static std::string header(const Post& post, std::string_view name) {
    for (const auto& [key, value] : post.headers) {
      if (key == name) return value;
    }
    return "";
  }

  DeliveryState state_of(const Webhook& webhook) {
    return webhooks->get(context, webhook.webhook_id)->deliveries;
  }

  // Until threads have made `condition` true; two minutes at most.
  void await(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    std::uint64_t seen = 0;
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      events.wait(seen, std::chrono::milliseconds(5));
    }
  }

  using Texts = std::vector<std::string>;
  const std::vector<Topic> versions_{{"model_version", "created"}};

  Context context;
  SimClock clock{kStartMs};
  SeededRandom random{7};
  IdSource ids{clock, random};
  sql::TestDatabase database{GetParam()};
  Log events{*database, clock};
  SimSender sender;
  SimSecrets secrets;
  WebhookOptions options;
  std::unique_ptr<Webhooks> webhooks;
};

TEST_P(WebhooksTest, is_told_of_what_it_asked_for_since_it_was_made_in_order) {
  append_version(1);
  add("a", versions_);
  append_version(2);
  append("registry.model_created", json::Value::object({{"model", "m"}}));
  append_version(3);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:2", "a:3"}));
  deliver_all();
  EXPECT_EQ(posted().size(), 2U);
}

TEST_P(WebhooksTest, signs_delivery_id_time_and_payload) {
  const auto webhook = add("a", versions_, "s3cret");
  EXPECT_TRUE(webhook.is_signed);
  append_version(1);
  clock.advance_ms(5'400);
  deliver_all();
  ASSERT_EQ(sender.posts.size(), 1U);
  const Post& post = sender.posts[0];
  const std::string id = header(post, "X-MLflow-Delivery-Id");
  EXPECT_EQ(id.size(), 36U);
  EXPECT_EQ(header(post, "Content-Type"), "application/json");
  EXPECT_EQ(header(post, "X-MLflow-Timestamp"), "1700000005");
  EXPECT_EQ(header(post, "X-MLflow-Signature"), "v1,s3cret|" + id + ".1700000005." + post.body);
  EXPECT_EQ(
      post.body,
      R"({"entity":"model_version","action":"created","timestamp":"2023-11-14T22:13:20+00:00",)"
      R"("data":{"name":"m","version":"1","source":"s3://b/p","run_id":null,"tags":{},)"
      R"("description":null}})");
}

TEST_P(WebhooksTest, without_a_secret_nothing_is_signed) {
  add("a", versions_);
  append_version(1);
  deliver_all();
  EXPECT_EQ(header(sender.posts.at(0), "X-MLflow-Signature"), "");
}

TEST_P(WebhooksTest, what_may_pass_is_tried_again_later_under_the_same_id_and_in_order) {
  const auto webhook = add("a", versions_);
  append_version(1);
  append_version(2);
  sender.answers = {PostAnswer{503, "", {}}, unavailable("no route"), PostAnswer{200, "", {}}};
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1"}));
  EXPECT_EQ(state_of(webhook).attempts, 1);
  EXPECT_EQ(state_of(webhook).last_status, 503);
  EXPECT_EQ(state_of(webhook).last_error, "the receiver answered 503");
  const std::int64_t first = state_of(webhook).due_ms - clock.now_ms();
  EXPECT_GE(first, 500);
  EXPECT_LE(first, 1'000);

  clock.advance_ms(first - 1);
  deliver_all();
  EXPECT_EQ(posted().size(), 1U);
  clock.advance_ms(1);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1", "a:1"}));
  EXPECT_EQ(state_of(webhook).last_status, 0);
  EXPECT_EQ(state_of(webhook).last_error, "no route");
  const std::int64_t second = state_of(webhook).due_ms - clock.now_ms();
  EXPECT_GE(second, 1'000);
  EXPECT_LE(second, 2'000);

  clock.advance_ms(second);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1", "a:1", "a:1", "a:2"}));
  EXPECT_EQ(header(sender.posts[0], "X-MLflow-Delivery-Id"),
            header(sender.posts[2], "X-MLflow-Delivery-Id"));
  EXPECT_NE(header(sender.posts[2], "X-MLflow-Delivery-Id"),
            header(sender.posts[3], "X-MLflow-Delivery-Id"));
  EXPECT_EQ(state_of(webhook).delivered, 2);
  EXPECT_EQ(state_of(webhook).attempts, 0);
  EXPECT_EQ(state_of(webhook).last_error, "");
}

TEST_P(WebhooksTest, a_delivery_that_failed_too_often_is_given_up_and_the_next_follows) {
  const auto webhook = add("a", versions_);
  append_version(1);
  append_version(2);
  for (int i = 0; i < 4; ++i) sender.answers.push_back(PostAnswer{500, "", {}});
  for (int i = 0; i < 4; ++i) {
    deliver_all();
    clock.advance_ms(3'000);
  }
  EXPECT_EQ(posted(), (Texts{"a:1", "a:1", "a:1", "a:1", "a:2"}));
  EXPECT_EQ(state_of(webhook).given_up, 1);
  EXPECT_EQ(state_of(webhook).delivered, 1);
}

TEST_P(WebhooksTest, a_receiver_that_refuses_or_redirects_is_not_asked_again) {
  const auto webhook = add("a", versions_);
  for (const int status : {400, 302, 404}) {
    append_version(status);
    sender.answers.push_back(PostAnswer{status, "", {}});
  }
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:400", "a:302", "a:404"}));
  EXPECT_EQ(state_of(webhook).given_up, 3);
}

TEST_P(WebhooksTest, never_sooner_than_the_receiver_asks_but_within_the_longest_pause) {
  const auto webhook = add("a", versions_);
  append_version(1);
  sender.answers = {PostAnswer{429, "", std::chrono::seconds(2)},
                    PostAnswer{429, "", std::chrono::seconds(3'600)}};
  deliver_all();
  EXPECT_EQ(state_of(webhook).due_ms, clock.now_ms() + 2'000);
  clock.advance_ms(2'000);
  deliver_all();
  EXPECT_EQ(state_of(webhook).due_ms, clock.now_ms() + 3'000);
}

TEST_P(WebhooksTest, one_that_waits_does_not_hold_up_the_others) {
  add("a", versions_);
  append_version(1);
  sender.answers = {PostAnswer{503, "", {}}};
  deliver_all();
  add("b", versions_);
  append_version(2);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1", "b:2"}));
}

TEST_P(WebhooksTest, while_a_post_is_under_way_only_others_are_served) {
  add("a", versions_);
  append_version(1);
  append_version(2);
  Webhooks beside(*database, events, clock, random, ids, sender, secrets, options);
  bool found = true;
  sender.during = [&] { found = *beside.deliver_next(); };
  ASSERT_TRUE(*webhooks->deliver_next());
  EXPECT_FALSE(found);
  EXPECT_EQ(posted(), (Texts{"a:1"}));
}

TEST_P(WebhooksTest, what_a_dead_server_had_begun_is_sent_again_under_the_same_id) {
  add("a", versions_);
  append_version(1);
  // The database as it is while the post is under way: what a kill -9 leaves.
  auto other_options = options;
  other_options.owner = "two";
  Webhooks other(*database, events, clock, random, ids, sender, secrets, other_options);
  Webhooks again(*database, events, clock, random, ids, sender, secrets, options);
  bool taken_by_other = true;
  bool taken_again = false;
  sender.during = [&] {
    // Another server of the same database waits for the claim to end; our own next life does not.
    taken_by_other = *other.deliver_next();
    ASSERT_TRUE(
        database->transaction([&](sql::Txn& txn) { return webhook_store::release(txn, "one"); })
            .ok());
    taken_again = *again.deliver_next();
  };
  ASSERT_TRUE(*webhooks->deliver_next());
  EXPECT_FALSE(taken_by_other);
  EXPECT_TRUE(taken_again);
  EXPECT_EQ(posted(), (Texts{"a:1", "a:1"}));
  EXPECT_EQ(header(sender.posts[0], "X-MLflow-Delivery-Id"),
            header(sender.posts[1], "X-MLflow-Delivery-Id"));
  // The late end of the first moves nothing back, and nothing is sent a third time.
  deliver_all();
  EXPECT_EQ(posted().size(), 2U);
}

TEST_P(WebhooksTest, another_server_takes_over_when_a_claim_has_ended) {
  add("a", versions_);
  append_version(1);
  auto other_options = options;
  other_options.owner = "two";
  Webhooks other(*database, events, clock, random, ids, sender, secrets, other_options);
  bool found = false;
  sender.during = [&] {
    clock.advance_ms(2 * options.timeout.count());
    found = *other.deliver_next();
  };
  ASSERT_TRUE(*webhooks->deliver_next());
  EXPECT_TRUE(found);
}

TEST_P(WebhooksTest, a_restart_goes_on_behind_the_last_that_was_answered) {
  add("a", versions_);
  append_version(1);
  append_version(2);
  ASSERT_TRUE(*webhooks->deliver_next());
  restart();
  append_version(3);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1", "a:2", "a:3"}));
}

TEST_P(WebhooksTest, a_disabled_one_lets_events_pass_by) {
  const auto webhook = add("a", versions_);
  ASSERT_TRUE(
      webhooks->update(context, webhook.webhook_id, {.status = WebhookStatus::kDisabled}).ok());
  append_version(1);
  deliver_all();
  ASSERT_TRUE(
      webhooks->update(context, webhook.webhook_id, {.status = WebhookStatus::kActive}).ok());
  append_version(2);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:2"}));
}

TEST_P(WebhooksTest, one_deleted_while_its_post_is_under_way_is_gone) {
  const auto webhook = add("a", versions_);
  append_version(1);
  append_version(2);
  sender.during = [&] { ASSERT_TRUE(webhooks->remove(context, webhook.webhook_id).ok()); };
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1"}));
  EXPECT_EQ(webhooks->get(context, webhook.webhook_id).error().code, Code::kNotFound);
}

TEST_P(WebhooksTest, a_new_url_is_tried_at_once) {
  const auto webhook = add("a", versions_);
  append_version(1);
  sender.answers = {PostAnswer{503, "", {}}};
  deliver_all();
  ASSERT_TRUE(webhooks->update(context, webhook.webhook_id, {.url = "https://b"}).ok());
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1", "b:1"}));
}

TEST_P(WebhooksTest, what_is_no_longer_asked_for_is_dropped_with_its_attempts) {
  const auto webhook = add("a", versions_);
  append_version(1);
  sender.answers = {PostAnswer{503, "", {}}};
  deliver_all();
  ASSERT_EQ(state_of(webhook).attempts, 1);
  const std::vector<Topic> models = {{"registered_model", "created"}};
  ASSERT_TRUE(webhooks->update(context, webhook.webhook_id, {.topics = models}).ok());
  clock.advance_ms(1'000);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1"}));
  EXPECT_EQ(state_of(webhook).attempts, 0);
}

TEST_P(WebhooksTest, other_workspaces_are_neither_seen_nor_told) {
  const auto webhook = add("a", versions_);
  append_version(1, "elsewhere");
  deliver_all();
  EXPECT_TRUE(sender.posts.empty());
  Context other;
  other.workspace = "elsewhere";
  EXPECT_EQ(webhooks->get(other, webhook.webhook_id).error().code, Code::kNotFound);
  EXPECT_EQ(webhooks->remove(other, webhook.webhook_id).error().code, Code::kNotFound);
  EXPECT_TRUE(webhooks->list(other, 10, "")->items.empty());
}

TEST_P(WebhooksTest, many_events_for_others_do_not_end_the_search) {
  add("a", {{"model_version", "created"}});
  for (int i = 0; i < 250; ++i) {
    append("registry.model_created", json::Value::object({{"model", "m"}}));
  }
  append_version(1);
  deliver_all();
  EXPECT_EQ(posted(), (Texts{"a:1"}));
}

TEST_P(WebhooksTest, pages_show_the_newest_first_and_stay_valid) {
  std::set<std::string> all;
  for (const auto* name : {"a", "b", "c", "d", "e"}) all.insert(add(name, versions_).webhook_id);
  const auto first = webhooks->list(context, 2, "");
  ASSERT_EQ(first->items.size(), 2U);
  EXPECT_EQ(first->items[0].name, "e");
  ASSERT_TRUE(webhooks->remove(context, first->items[1].webhook_id).ok());
  add("f", versions_);
  const auto second = webhooks->list(context, 2, first->next_page_token);
  ASSERT_EQ(second->items.size(), 2U);
  EXPECT_EQ(second->items[0].name, "c");
  const auto last = webhooks->list(context, 2, second->next_page_token);
  EXPECT_EQ(last->items.size(), 1U);
  EXPECT_EQ(last->next_page_token, "");
  EXPECT_EQ(webhooks->list(context, 0, "").error().code, Code::kInvalidArgument);
  EXPECT_EQ(webhooks->list(context, 1'001, "").error().code, Code::kInvalidArgument);
  EXPECT_EQ(webhooks->list(context, 2, "x").error().code, Code::kInvalidArgument);
}

TEST_P(WebhooksTest, refuses_names_urls_and_topics_outside_the_rules) {
  const auto code = [&](const std::string& name, const std::string& url,
                        const std::vector<Topic>& topics) {
    const auto made = webhooks->create(context, {.name = name, .url = url, .topics = topics});
    return made.ok() ? std::string("ok") : made.error().message;
  };
  EXPECT_EQ(code("A.b_c-1", "https://a", versions_), "ok");
  EXPECT_EQ(code(std::string(63, 'a'), "https://a", versions_), "ok");
  for (const auto& name : {std::string(), std::string(64, 'a'), std::string("-a"),
                           std::string("a."), std::string("a b"), std::string("a\n")}) {
    EXPECT_NE(code(name, "https://a", versions_).find("invalid webhook name"), std::string::npos);
  }
  EXPECT_NE(code("a", "http://a", versions_), "ok");
  EXPECT_NE(code("a", "https://a", {}).find("at least one"), std::string::npos);
  EXPECT_NE(code("a", "https://a", {{"model", "created"}}).find("unknown entity \"model\""),
            std::string::npos);
  EXPECT_NE(code("a", "https://a", {{"registered_model", "deleted"}}).find("expected created"),
            std::string::npos);
  EXPECT_NE(code("a", "https://a", {versions_[0], versions_[0]}).find("twice"), std::string::npos);
}

TEST_P(WebhooksTest, a_test_sends_one_made_up_event_and_tells_what_came_of_it) {
  const auto webhook = add("a", {{"registered_model", "created"}, {"model_version", "created"}});
  sender.answers = {PostAnswer{503, "busy", {}}, unavailable("no route"), PostAnswer{204, "", {}}};
  const auto busy = webhooks->test(context, webhook.webhook_id);
  EXPECT_FALSE(busy->succeeded);
  EXPECT_EQ(busy->status, 503);
  EXPECT_EQ(busy->body, "busy");
  const auto none = webhooks->test(context, webhook.webhook_id);
  EXPECT_FALSE(none->succeeded);
  EXPECT_EQ(none->error, "no route");
  const auto good = webhooks->test(context, webhook.webhook_id, Topic{"prompt_alias", "deleted"});
  EXPECT_TRUE(good->succeeded);
  EXPECT_EQ(json::parse(sender.posts.at(0).body)->string_or("entity", ""), "model_version");
  EXPECT_EQ(json::parse(sender.posts.at(2).body)->string_or("entity", ""), "prompt_alias");
  EXPECT_EQ(state_of(webhook).last_attempt_ms, 0);
  EXPECT_EQ(webhooks->test(context, webhook.webhook_id, Topic{"x", "y"}).error().code,
            Code::kInvalidArgument);
}

TEST_P(WebhooksTest, the_secret_is_sealed_in_the_database_and_can_be_taken_away) {
  const auto webhook = add("a", versions_, "s3cret");
  const auto sealed = database->view([&](sql::Reader& reader) {
    return webhook_store::find(reader, "default", webhook.webhook_id);
  });
  EXPECT_EQ((*sealed)->sealed, "sealed(" + webhook.webhook_id + "):s3cret");
  secrets.is_lost = true;
  const auto unsigned_test = webhooks->test(context, webhook.webhook_id);
  EXPECT_EQ(unsigned_test->error, "sealed for another");
  EXPECT_TRUE(sender.posts.empty());
  const auto changed = webhooks->update(context, webhook.webhook_id, {.secret = ""});
  EXPECT_FALSE(changed->is_signed);
}

TEST_P(WebhooksTest, threads_deliver_and_end) {
  const auto webhook = add("a", versions_);
  append_version(1);
  ASSERT_TRUE(webhooks->start_threads().ok());
  await([&] { return state_of(webhook).delivered > 0; });
  webhooks->stop_threads();
  EXPECT_EQ(posted(), (Texts{"a:1"}));
}

// May be shared between threads.
class CountingSender final : public Sender {
 public:
  Result<void> check(const std::string&) override { return {}; }
  Result<PostAnswer> post(const Post& post) override {
    const auto body = json::parse(post.body);
    const std::lock_guard lock(mutex_);
    versions_[post.url] += body->find("data")->string_or("version", "?") + " ";
    return PostAnswer{200, "", {}};
  }
  std::map<std::string, std::string> versions() {
    const std::lock_guard lock(mutex_);
    return versions_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> versions_;  // guarded by mutex_
};

TEST_P(WebhooksTest, the_threads_of_two_servers_share_the_work_each_event_once_and_in_order) {
  constexpr int kVersions = 12;
  std::vector<Webhook> all;
  for (const auto* name : {"a", "b", "c", "d", "e"}) all.push_back(add(name, versions_));
  CountingSender counting;
  auto other_options = options;
  other_options.owner = "two";
  Webhooks one(*database, events, clock, random, ids, counting, secrets, options);
  Webhooks two(*database, events, clock, random, ids, counting, secrets, other_options);
  ASSERT_TRUE(one.start_threads().ok());
  ASSERT_TRUE(two.start_threads().ok());
  std::string expected;
  for (int version = 1; version <= kVersions; ++version) {
    append_version(version);
    events.wake();
    expected += std::to_string(version) + " ";
  }
  const auto is_done = [&](const Webhook& hook) { return state_of(hook).delivered == kVersions; };
  await([&] { return std::all_of(all.begin(), all.end(), is_done); });
  one.stop_threads();
  two.stop_threads();
  const auto told = counting.versions();
  EXPECT_EQ(told.size(), all.size());
  for (const auto& [url, versions] : told) EXPECT_EQ(versions, expected) << url;
}

INSTANTIATE_TEST_SUITE_P(Engines, WebhooksTest, testing::ValuesIn(sql::available_engines()),
                         sql::engine_test_name);

Event event_of(std::string_view kind, json::Value body) {
  Event event;
  event.kind = std::string(kind);
  event.body = std::move(body);
  return event;
}

std::string told(std::string_view kind, json::Value body) {
  const auto notice = notice_of(event_of(kind, std::move(body)));
  if (!notice) return "nothing";
  return notice->topic.entity + "." + notice->topic.action + " " + json::dump(notice->data);
}

TEST(WebhookPayload, says_what_happened_to_models_in_mlflows_words) {
  using V = json::Value;
  EXPECT_EQ(
      told("registry.model_created",
           V::object({{"model", "m"}, {"description", ""}, {"tags", V::object({{"k", "v"}})}})),
      R"(registered_model.created {"name":"m","tags":{"k":"v"},"description":""})");
  EXPECT_EQ(told("registry.version_tag_set",
                 V::object({{"model", "m"}, {"version", 2}, {"key", "k"}, {"value", "v"}})),
            R"(model_version_tag.set {"name":"m","version":"2","key":"k","value":"v"})");
  EXPECT_EQ(told("registry.version_tag_deleted",
                 V::object({{"model", "m"}, {"version", 2}, {"key", "k"}})),
            R"(model_version_tag.deleted {"name":"m","version":"2","key":"k"})");
  EXPECT_EQ(told("registry.alias_moved",
                 V::object({{"model", "m"}, {"alias", "a"}, {"version", 3}, {"previous", 2}})),
            R"(model_version_alias.created {"name":"m","alias":"a","version":"3"})");
  EXPECT_EQ(told("registry.alias_moved",
                 V::object({{"model", "m"}, {"alias", "a"}, {"version", V()}, {"previous", 2}})),
            R"(model_version_alias.deleted {"name":"m","alias":"a"})");
  EXPECT_EQ(told("registry.model_tag_set", V::object({{"model", "m"}, {"key", "k"}})), "nothing");
  EXPECT_EQ(told("drift.detected", V::object()), "nothing");
}

TEST(WebhookPayload, tells_prompts_from_models) {
  using V = json::Value;
  const V tags = V::object({{"mlflow.prompt.is_prompt", "true"},
                            {"_mlflow_prompt_type", "text"},
                            {"mlflow.prompt.text", "Hi {{name}}"},
                            {"k", "v"}});
  EXPECT_EQ(told("registry.version_created",
                 V::object({{"model", "p"}, {"version", 1}, {"tags", tags}, {"is_prompt", true}})),
            R"(prompt_version.created {"name":"p","version":"1","template":"Hi {{name}}",)"
            R"("tags":{"k":"v"},"description":null})");
  EXPECT_EQ(told("registry.model_tag_set",
                 V::object({{"model", "p"}, {"key", "k"}, {"value", "v"}, {"is_prompt", true}})),
            R"(prompt_tag.set {"name":"p","key":"k","value":"v"})");
  EXPECT_EQ(told("registry.alias_moved",
                 V::object({{"model", "p"}, {"alias", "a"}, {"version", 3}, {"is_prompt", true}})),
            R"(prompt_alias.created {"name":"p","alias":"a","version":"3"})");
}

TEST(WebhookPayload, the_time_has_its_milliseconds) {
  const Notice notice = example_of({"prompt_tag", "deleted"});
  EXPECT_EQ(payload_of(notice, 1'700'000'000'120), R"({"entity":"prompt_tag","action":"deleted",)"
                                                   R"("timestamp":"2023-11-14T22:13:20.120+00:00",)"
                                                   R"("data":{"name":"example","key":"example"}})");
}

}  // namespace
}  // namespace ciclo::events
