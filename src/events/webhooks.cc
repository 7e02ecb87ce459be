// SPDX-License-Identifier: Apache-2.0
#include "events/webhooks.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "events/webhook_payload.h"
#include "sql/once.h"

namespace ciclo::events {
namespace {

constexpr std::size_t kNameLengthMax = 63;
constexpr std::int64_t kResultsMax = 1'000;
constexpr int kEventsAtOnce = 100;
constexpr std::int64_t kLookAgainMs = 1'000;
constexpr std::size_t kErrorBytesMax = 500;

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<void> check_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= kNameLengthMax && is_letter_or_digit(name.front()) &&
      is_letter_or_digit(name.back()) && std::all_of(name.begin(), name.end(), is_allowed)) {
    return {};
  }
  return invalid_argument("invalid webhook name " + quoted(name) +
                          ": it needs 1 to 63 letters, digits, dots, underscores and dashes, and "
                          "must begin and end with a letter or digit");
}

// Sorted, each once.
Result<std::vector<Topic>> checked_topics(std::vector<Topic> topics) {
  if (topics.empty()) return invalid_argument("webhook events are empty: at least one is needed");
  for (const auto& topic : topics) TRY(check_topic(topic));
  std::sort(topics.begin(), topics.end());
  if (std::adjacent_find(topics.begin(), topics.end()) != topics.end()) {
    return invalid_argument("webhook events must be different, one is named twice");
  }
  return topics;
}

Result<webhook_store::Stored> required(sql::Reader& reader, const Context& context,
                                       std::string_view webhook_id) {
  TRY(auto found, webhook_store::find(reader, context.workspace, webhook_id));
  if (!found) return not_found("no webhook with the id " + quoted(webhook_id) + " exists");
  return std::move(*found);
}

// The same for every attempt of one event to one webhook, in the form of a UUID of version 8
// (RFC 9562), so that receivers can drop what they have seen.
std::string delivery_id_of(std::string_view webhook_id, std::int64_t event_id) {
  std::string digest = hash_bytes(std::string(webhook_id) + "/" + std::to_string(event_id));
  digest[12] = '8';
  digest[16] = '8';
  return digest.substr(0, 8) + "-" + digest.substr(8, 4) + "-" + digest.substr(12, 4) + "-" +
         digest.substr(16, 4) + "-" + digest.substr(20, 12);
}

bool asks_for(const webhook_store::Stored& stored, const Event& event, const Notice& notice) {
  const auto& topics = stored.webhook.topics;
  return event.workspace == stored.workspace &&
         std::find(topics.begin(), topics.end(), notice.topic) != topics.end();
}

bool is_success(int status) { return status >= 200 && status < 300; }

bool may_pass(int status) { return status == 408 || status == 429 || status >= 500; }

constexpr std::array<std::string_view, 2> kStatuses = {"active", "disabled"};

}  // namespace

std::span<const std::string_view> enum_names(WebhookStatus) { return kStatuses; }

// What one thread has claimed: the webhook, and the event that it asked for; none when the events
// that were read are not for it.
struct Webhooks::Task {
  webhook_store::Stored stored;
  std::string claim;          // empty: another was faster
  std::int64_t event_id = 0;  // where the cursor goes when this is done
  std::string delivery_id;
  std::string payload;  // empty: nothing to send
};

Webhooks::Webhooks(sql::Database& database, Log& log, Clock& clock, Random& random, IdSource& ids,
                   Sender& sender, Secrets& secrets, WebhookOptions options)
    : database_(database),
      log_(log),
      clock_(clock),
      random_(random),
      ids_(ids),
      sender_(sender),
      secrets_(secrets),
      options_(std::move(options)) {}

Webhooks::~Webhooks() { stop_threads(); }

Result<Webhook> Webhooks::create(const Context& context, const NewWebhook& wanted) {
  webhook_store::Stored row;
  TRY(check_name(wanted.name));
  TRY(row.webhook.topics, checked_topics(wanted.topics));
  TRY(sender_.check(wanted.url));
  row.workspace = context.workspace;
  row.webhook.webhook_id = ids_.next();
  row.webhook.name = wanted.name;
  row.webhook.description = wanted.description;
  row.webhook.url = wanted.url;
  row.webhook.status = wanted.status;
  if (!wanted.secret.empty()) {
    TRY(row.sealed, secrets_.seal(wanted.secret, row.webhook.webhook_id));
  }
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<Webhook> {
    row.webhook.created_ms = clock_.now_ms();
    TRY(row.event_id, webhook_store::newest_event(txn, webhook_kinds()));
    TRY(webhook_store::insert(txn, row));
    TRY(auto stored, required(txn, context, row.webhook.webhook_id));
    return std::move(stored.webhook);
  });
}

Result<Webhook> Webhooks::get(const Context& context, std::string_view webhook_id) {
  return database_.view([&](sql::Reader& reader) -> Result<Webhook> {
    TRY(auto stored, required(reader, context, webhook_id));
    return std::move(stored.webhook);
  });
}

// A token is the id of the page's last webhook: it stays valid while others come and go.
Result<WebhookPage> Webhooks::list(const Context& context, std::int64_t max_results,
                                   std::string_view page_token) {
  if (max_results < 1 || max_results > kResultsMax) {
    return invalid_argument("max_results must lie between 1 and 1000, got " +
                            std::to_string(max_results));
  }
  const bool is_token = page_token.size() == 32 &&
                        page_token.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!page_token.empty() && !is_token) {
    return invalid_argument("invalid page token " + quoted(page_token) +
                            ": it must come from the page before");
  }
  return database_.view([&](sql::Reader& reader) -> Result<WebhookPage> {
    WebhookPage page;
    TRY(page.items, webhook_store::list(reader, context.workspace, page_token, max_results + 1));
    if (page.items.size() > static_cast<std::size_t>(max_results)) {
      page.items.pop_back();
      page.next_page_token = page.items.back().webhook_id;
    }
    return page;
  });
}

Result<Webhook> Webhooks::update(const Context& context, std::string_view webhook_id,
                                 const WebhookChange& change) {
  TRY(get(context, webhook_id));
  if (change.name) TRY(check_name(*change.name));
  std::vector<Topic> topics;
  if (change.topics) {
    TRY(topics, checked_topics(*change.topics));
  }
  if (change.url) TRY(sender_.check(*change.url));
  std::string sealed;
  if (change.secret && !change.secret->empty()) {
    TRY(sealed, secrets_.seal(*change.secret, webhook_id));
  }
  auto updated = sql::once(database_, context, [&](sql::Txn& txn) -> Result<Webhook> {
    TRY(auto row, required(txn, context, webhook_id));
    Webhook& webhook = row.webhook;
    const auto before = webhook.status;
    webhook.name = change.name.value_or(webhook.name);
    webhook.description = change.description.value_or(webhook.description);
    webhook.url = change.url.value_or(webhook.url);
    webhook.status = change.status.value_or(webhook.status);
    if (change.topics) webhook.topics = topics;
    if (change.secret) row.sealed = sealed;
    webhook.is_signed = !row.sealed.empty();
    webhook.updated_ms = clock_.now_ms();
    const bool enabled = before != webhook.status && webhook.status == WebhookStatus::kActive;
    // What happened meanwhile is not told.
    if (enabled) {
      TRY(row.event_id, webhook_store::newest_event(txn, webhook_kinds()));
    }
    if (enabled || change.url) {
      webhook.deliveries.attempts = 0;
      webhook.deliveries.due_ms = 0;
    }
    TRY(webhook_store::update(txn, row));
    return std::move(webhook);
  });
  if (updated.ok()) log_.wake();
  return updated;
}

Result<void> Webhooks::remove(const Context& context, std::string_view webhook_id) {
  return sql::once(database_, context, [&](sql::Txn& txn) -> Result<void> {
    TRY(const bool removed, webhook_store::remove(txn, context.workspace, webhook_id));
    if (!removed) return not_found("no webhook with the id " + quoted(webhook_id) + " exists");
    return {};
  });
}

Result<WebhookTest> Webhooks::test(const Context& context, std::string_view webhook_id,
                                   const std::optional<Topic>& topic) {
  if (topic) TRY(check_topic(*topic));
  TRY(const auto stored,
      database_.view([&](sql::Reader& reader) { return required(reader, context, webhook_id); }));
  const Notice notice = example_of(topic.value_or(stored.webhook.topics.front()));
  const auto answer =
      send(stored, delivery_id_of(ids_.next(), 0), payload_of(notice, clock_.now_ms()));
  WebhookTest result;
  if (answer.ok()) {
    result.status = answer->status;
    result.body = answer->body;
    result.succeeded = is_success(answer->status);
  } else {
    result.error = answer.error().message;
  }
  return result;
}

// Nothing goes out unsigned when the secret cannot be had.
Result<PostAnswer> Webhooks::send(const webhook_store::Stored& stored, std::string_view delivery_id,
                                  std::string payload) {
  const std::string time = std::to_string(clock_.now_ms() / 1000);
  Post post{stored.webhook.url,
            {{"Content-Type", "application/json"},
             {"X-MLflow-Delivery-Id", std::string(delivery_id)},
             {"X-MLflow-Timestamp", time}},
            std::move(payload)};
  if (!stored.sealed.empty()) {
    TRY(const std::string secret, secrets_.open(stored.sealed, stored.webhook.webhook_id));
    const std::string text = std::string(delivery_id) + "." + time + "." + post.body;
    post.headers.emplace_back("X-MLflow-Signature", "v1," + secrets_.sign(secret, text));
  }
  return sender_.post(post);
}

Result<bool> Webhooks::deliver_next() {
  TRY(auto task, take_task());
  if (!task) return false;
  if (task->claim.empty()) return true;  // another was faster; there may be more
  if (task->payload.empty()) {
    task->stored.event_id = task->event_id;
    task->stored.webhook.deliveries.attempts = 0;  // of one that is no longer asked for
  } else {
    attempt(*task);
  }
  TRY(database_.transaction(
      [&](sql::Txn& txn) { return webhook_store::finish(txn, task->stored, task->claim); }));
  return true;
}

// Looks before it writes, so that a quiet server writes nothing.
Result<std::optional<Webhooks::Task>> Webhooks::take_task() {
  const std::int64_t now_ms = clock_.now_ms();
  std::int64_t newest = 0;
  TRY(const auto waiting,
      database_.view([&](sql::Reader& reader) -> Result<std::optional<webhook_store::Stored>> {
        TRY(newest, webhook_store::newest_event(reader, webhook_kinds()));
        return webhook_store::find_due(reader, newest, now_ms);
      }));
  if (!waiting) return std::optional<Task>();
  Task task;
  TRY(const bool claimed, claim(*waiting, task));
  if (!claimed) return std::optional<Task>(Task());
  task.event_id = newest;
  TRY(const auto events, log_.read_after(task.stored.event_id, kEventsAtOnce, webhook_kinds()));
  for (const auto& event : events) {
    task.event_id = event.id;
    const auto notice = notice_of(event);
    if (!notice || !asks_for(task.stored, event, *notice)) continue;
    task.delivery_id = delivery_id_of(task.stored.webhook.webhook_id, event.id);
    task.payload = payload_of(*notice, event.time_ms);
    break;
  }
  return std::optional<Task>(std::move(task));
}

// False when another was faster. Touches no row but the webhook's, so that those who claim at the
// same time are in nobody's way.
Result<bool> Webhooks::claim(const webhook_store::Stored& waiting, Task& task) {
  const std::int64_t now_ms = clock_.now_ms();
  task.claim = ids_.next();
  const webhook_store::Claim claim{options_.owner, task.claim,
                                   now_ms + 2 * options_.timeout.count()};
  return database_.transact([&](sql::Txn& txn) -> Result<bool> {
    TRY(const bool taken, webhook_store::take(txn, waiting, claim, now_ms));
    if (!taken) return false;
    TRY(auto row, webhook_store::find(txn, waiting.workspace, waiting.webhook.webhook_id));
    if (row) task.stored = std::move(*row);
    return row.has_value();
  });
}

// Posts, and writes into the task what came of it.
void Webhooks::attempt(Task& task) {
  DeliveryState& state = task.stored.webhook.deliveries;
  const auto answer = send(task.stored, task.delivery_id, std::move(task.payload));
  state.last_attempt_ms = clock_.now_ms();
  state.last_status = answer.ok() ? answer->status : 0;
  state.last_error = !answer.ok() ? answer.error().message.substr(0, kErrorBytesMax)
                     : is_success(answer->status)
                         ? std::string()
                         : "the receiver answered " + std::to_string(answer->status);
  ++state.attempts;
  const bool failed = !state.last_error.empty();
  const bool passing = !answer.ok() || may_pass(answer->status);
  if (failed && passing && state.attempts < options_.attempts_max) {
    const auto asked = answer.ok() ? answer->retry_after : std::nullopt;
    return schedule_again(task.stored, asked.value_or(std::chrono::seconds(0)));
  }
  ++(failed ? state.given_up : state.delivered);
  if (failed) {
    log::warn("a webhook delivery is given up", {{"webhook", task.stored.webhook.name},
                                                 {"webhook_id", task.stored.webhook.webhook_id},
                                                 {"event", task.event_id},
                                                 {"attempts", state.attempts},
                                                 {"error", state.last_error}});
  }
  state.attempts = 0;
  state.due_ms = state.last_attempt_ms;
  task.stored.event_id = task.event_id;
}

// The random half keeps the webhooks of a receiver that comes back from calling it all at once.
void Webhooks::schedule_again(webhook_store::Stored& stored, std::chrono::milliseconds at_least) {
  DeliveryState& state = stored.webhook.deliveries;
  const std::int64_t ceiling_ms = std::min<std::int64_t>(
      options_.backoff_max.count(), options_.backoff.count()
                                        << std::min<std::int64_t>(state.attempts - 1, 30));
  const std::int64_t half_ms = ceiling_ms / 2;
  const auto jitter_ms =
      static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(half_ms) + 1));
  const std::int64_t asked_ms = std::min(at_least, options_.backoff_max).count();
  state.due_ms = state.last_attempt_ms + std::max(ceiling_ms - jitter_ms, asked_ms);
}

Result<void> Webhooks::start_threads() {
  TRY(database_.transaction(
      [&](sql::Txn& txn) { return webhook_store::release(txn, options_.owner); }));
  for (int number = 0; number < options_.threads; ++number) {
    threads_.emplace_back([this](const std::stop_token& stop) { loop(stop); });
  }
  return {};
}

void Webhooks::stop_threads() {
  for (auto& thread : threads_) thread.request_stop();
  if (!threads_.empty()) log_.wake();
  threads_.clear();
}

void Webhooks::loop(const std::stop_token& stop) {
  set_thread_name("webhooks");
  std::uint64_t seen = 0;
  std::string last_trouble;
  while (!stop.stop_requested()) {
    const auto found = deliver_next();
    const std::string trouble = found.ok() ? std::string() : found.error().message;
    if (!trouble.empty() && trouble != last_trouble) {
      log::error("webhooks cannot be delivered", {{"error", trouble}});
    }
    last_trouble = trouble;
    if (found.ok() && *found) continue;
    log_.wait(seen, std::chrono::milliseconds(kLookAgainMs));
  }
}

}  // namespace ciclo::events
