// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "base/id.h"
#include "base/random.h"
#include "base/result.h"
#include "events/log.h"
#include "events/webhook_store.h"
#include "events/webhook_types.h"
#include "sql/database.h"

// Webhooks: URLs that are told of events, as in MLflow's model registry. Each reads the event log
// behind its own cursor, from the moment it is made, in order, one event after the other; the
// cursor moves when the receiver has answered or was given up, so that nothing is lost when the
// server dies. A delivery may then come twice, under the same delivery id. A disabled webhook lets
// events pass by.
//
// What fails (no answer, 408, 429, 5xx) is tried again: after backoff, doubled each time up to
// backoff_max, a random half of it less, and never sooner than Retry-After asks up to backoff_max.
// After attempts_max attempts, or at any other status but 2xx, it is given up and the next event
// follows. While one webhook waits, others go on; `threads` bounds how many posts are under way, by
// a claim in the database also over several servers.
//
// Safe to share between threads. Errors of all calls: not_found for an unknown webhook.

namespace ciclo::events {

struct WebhookOptions {
  int threads = 4;        // posts under way at a time
  int attempts_max = 10;  // of one delivery
  std::chrono::milliseconds backoff{1'000};
  std::chrono::milliseconds backoff_max{300'000};
  // Within which Sender::post returns. What a dead server had begun is taken over after twice that.
  std::chrono::milliseconds timeout{10'000};
  // Who we are among the servers of one database; the same after a restart.
  std::string owner = "server";
};

struct NewWebhook {
  std::string name;  // 1 to 63 letters, digits, dots, underscores, dashes; first and last no mark
  std::string description;
  std::string url;
  std::vector<Topic> topics;
  std::string secret;  // empty: deliveries are not signed
  WebhookStatus status = WebhookStatus::kActive;
};

// What is not set stays as it is.
struct WebhookChange {
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<std::string> url;
  std::optional<std::vector<Topic>> topics;
  std::optional<std::string> secret;  // empty: none from now on
  std::optional<WebhookStatus> status;
};

struct WebhookPage {
  std::vector<Webhook> items;
  std::string next_page_token;  // empty: the last page
};

struct WebhookTest {
  bool succeeded = false;  // an answer came, and its status is 2xx
  int status = 0;          // 0: no answer came
  std::string body;        // the beginning of the answer
  std::string error;       // why none came
};

class Webhooks {
 public:
  // All must outlive the service.
  Webhooks(sql::Database& database, Log& log, Clock& clock, Random& random, IdSource& ids,
           Sender& sender, Secrets& secrets, WebhookOptions options = {});
  ~Webhooks();

  // invalid_argument for a name, URL or topics outside the rules.
  Result<Webhook> create(const Context& context, const NewWebhook& wanted);
  Result<Webhook> get(const Context& context, std::string_view webhook_id);
  // The newest first. invalid_argument unless max_results lies in [1, 1000], and for a foreign
  // token.
  Result<WebhookPage> list(const Context& context, std::int64_t max_results,
                           std::string_view page_token);
  // As create. A new URL, and enabling, begin the delivery under way anew.
  Result<Webhook> update(const Context& context, std::string_view webhook_id,
                         const WebhookChange& change);
  Result<void> remove(const Context& context, std::string_view webhook_id);
  // Sends a made-up event, once, and tells what came of it: of the topic, or of the first that the
  // webhook asks for. Neither counts nor waits for deliveries. invalid_argument for no known topic.
  Result<WebhookTest> test(const Context& context, std::string_view webhook_id,
                           const std::optional<Topic>& topic = {});

  // Makes the next attempt that is due, if any; true when there was something to do, for us or for
  // one who was faster.
  Result<bool> deliver_next();

  // Takes back what this owner had begun before it died, then delivers on own threads.
  Result<void> start_threads();
  // Waits for posts under way.
  void stop_threads();

 private:
  struct Task;

  Result<std::optional<Task>> take_task();
  Result<bool> claim(const webhook_store::Stored& waiting, Task& task);
  Result<PostAnswer> send(const webhook_store::Stored& stored, std::string_view delivery_id,
                          std::string payload);
  void attempt(Task& task);
  void schedule_again(webhook_store::Stored& stored, std::chrono::milliseconds at_least);
  void loop(const std::stop_token& stop);

  sql::Database& database_;
  Log& log_;
  Clock& clock_;
  Random& random_;
  IdSource& ids_;
  Sender& sender_;
  Secrets& secrets_;
  const WebhookOptions options_;
  std::vector<std::jthread> threads_;
};

}  // namespace ciclo::events
