// SPDX-License-Identifier: Apache-2.0
#include "events/webhook_store.h"

#include <utility>

#include "base/text.h"

namespace ciclo::events::webhook_store {
namespace {

std::string text_of(const std::vector<Topic>& topics) {
  std::vector<std::string> words;
  for (const auto& topic : topics) words.push_back(topic.entity + "." + topic.action);
  return join(words, " ");
}

std::vector<Topic> topics_of(std::string_view text) {
  std::vector<Topic> topics;
  for (const auto word : split(text, ' ')) {
    const std::size_t dot = word.find('.');
    topics.push_back({std::string(word.substr(0, dot)), std::string(word.substr(dot + 1))});
  }
  return topics;
}

Stored read_row(const sql::Row& row) {
  Stored stored;
  Webhook& webhook = stored.webhook;
  webhook.webhook_id = row.string(0);
  stored.workspace = row.string(1);
  webhook.name = row.string(2);
  webhook.description = row.string(3);
  webhook.url = row.string(4);
  webhook.topics = topics_of(row.text(5));
  webhook.status = row.boolean(6) ? WebhookStatus::kActive : WebhookStatus::kDisabled;
  stored.sealed = row.string(7);
  webhook.is_signed = !stored.sealed.empty();
  webhook.created_ms = row.integer(8);
  webhook.updated_ms = row.integer(9);
  stored.event_id = row.integer(10);
  DeliveryState& state = webhook.deliveries;
  state.attempts = row.integer(11);
  state.due_ms = row.integer(12);
  state.delivered = row.integer(13);
  state.given_up = row.integer(14);
  state.last_attempt_ms = row.integer(15);
  state.last_status = static_cast<int>(row.integer(16));
  state.last_error = row.string(17);
  return stored;
}

std::int64_t is_active(const Webhook& webhook) {
  return webhook.status == WebhookStatus::kActive ? 1 : 0;
}

}  // namespace

Result<void> insert(sql::Txn& txn, const Stored& row) {
  const Webhook& webhook = row.webhook;
  const std::string topics = text_of(webhook.topics);
  TRY(txn.execute(
      R"sql(
      INSERT INTO webhooks (webhook_id, workspace, name, description, url, events, is_active, secret,
        created_ms, updated_ms, event_id, attempts, due_ms, claim_owner, claim, claim_until_ms,
        delivered, given_up, last_attempt_ms, last_status, last_error)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, 0, 0, '', '', 0, 0, 0, 0, 0, ''))sql",
      {webhook.webhook_id, row.workspace, webhook.name, webhook.description, webhook.url, topics,
       is_active(webhook), row.sealed, webhook.created_ms, row.event_id}));
  return {};
}

Result<std::optional<Stored>> find(sql::Reader& reader, std::string_view workspace,
                                   std::string_view webhook_id) {
  return reader.query_one(R"sql(
      SELECT webhook_id, workspace, name, description, url, events, is_active, secret, created_ms,
        updated_ms, event_id, attempts, due_ms, delivered, given_up, last_attempt_ms, last_status,
        last_error
      FROM webhooks WHERE webhook_id = $1 AND workspace = $2)sql",
                          {webhook_id, workspace}, read_row);
}

Result<std::vector<Webhook>> list(sql::Reader& reader, std::string_view workspace,
                                  std::string_view before, std::int64_t limit) {
  const auto webhook_of = [](const sql::Row& row) { return read_row(row).webhook; };
  if (before.empty()) {
    return reader.query_all(R"sql(
        SELECT webhook_id, workspace, name, description, url, events, is_active, secret, created_ms,
          updated_ms, event_id, attempts, due_ms, delivered, given_up, last_attempt_ms, last_status,
          last_error
        FROM webhooks WHERE workspace = $1 ORDER BY webhook_id DESC LIMIT $2)sql",
                            {workspace, limit}, webhook_of);
  }
  return reader.query_all(R"sql(
      SELECT webhook_id, workspace, name, description, url, events, is_active, secret, created_ms,
        updated_ms, event_id, attempts, due_ms, delivered, given_up, last_attempt_ms, last_status,
        last_error
      FROM webhooks WHERE workspace = $1 AND webhook_id < $3
      ORDER BY webhook_id DESC LIMIT $2)sql",
                          {workspace, limit, before}, webhook_of);
}

Result<void> update(sql::Txn& txn, const Stored& row) {
  const Webhook& webhook = row.webhook;
  const std::string topics = text_of(webhook.topics);
  TRY(txn.execute(R"sql(
      UPDATE webhooks SET name = $2, description = $3, url = $4, events = $5, is_active = $6,
        secret = $7, updated_ms = $8, event_id = $9, attempts = $10, due_ms = $11
      WHERE webhook_id = $1)sql",
                  {webhook.webhook_id, webhook.name, webhook.description, webhook.url, topics,
                   is_active(webhook), row.sealed, webhook.updated_ms, row.event_id,
                   webhook.deliveries.attempts, webhook.deliveries.due_ms}));
  return {};
}

Result<bool> remove(sql::Txn& txn, std::string_view workspace, std::string_view webhook_id) {
  TRY(const auto removed,
      txn.execute("DELETE FROM webhooks WHERE webhook_id = $1 AND workspace = $2",
                  {webhook_id, workspace}));
  return removed > 0;
}

Result<std::int64_t> newest_event(sql::Reader& reader, std::span<const std::string_view> kinds) {
  std::int64_t newest = 0;
  for (const auto kind : kinds) {
    TRY(const auto id,
        reader.query_one("SELECT COALESCE(MAX(id), 0) FROM events WHERE kind = $1", {kind},
                         [](const sql::Row& row) { return row.integer(0); }));
    newest = std::max(newest, id.value_or(0));
  }
  return newest;
}

Result<std::optional<Stored>> find_due(sql::Reader& reader, std::int64_t newest,
                                       std::int64_t now_ms) {
  return reader.query_one(R"sql(
      SELECT webhook_id, workspace, name, description, url, events, is_active, secret, created_ms,
        updated_ms, event_id, attempts, due_ms, delivered, given_up, last_attempt_ms, last_status,
        last_error
      FROM webhooks
      WHERE is_active = 1 AND due_ms <= $2 AND claim_until_ms <= $2 AND event_id < $1
      ORDER BY due_ms, webhook_id LIMIT 1)sql",
                          {newest, now_ms}, read_row);
}

Result<bool> take(sql::Txn& txn, const Stored& found, const Claim& claim, std::int64_t now_ms) {
  TRY(const auto taken, txn.execute(R"sql(
      UPDATE webhooks SET claim_owner = $2, claim = $3, claim_until_ms = $4
      WHERE webhook_id = $1 AND is_active = 1 AND due_ms <= $5 AND claim_until_ms <= $5
        AND event_id = $6)sql",
                                    {found.webhook.webhook_id, claim.owner, claim.claim,
                                     claim.until_ms, now_ms, found.event_id}));
  return taken > 0;
}

Result<void> finish(sql::Txn& txn, const Stored& row, std::string_view claim) {
  const DeliveryState& state = row.webhook.deliveries;
  TRY(txn.execute(
      R"sql(
      UPDATE webhooks SET claim = '', claim_until_ms = 0,
        attempts = CASE WHEN event_id > $3 THEN 0 ELSE $4 END,
        event_id = CASE WHEN event_id > $3 THEN event_id ELSE $3 END,
        due_ms = $5, delivered = $6, given_up = $7, last_attempt_ms = $8, last_status = $9,
        last_error = $10
      WHERE webhook_id = $1 AND claim = $2)sql",
      {row.webhook.webhook_id, claim, row.event_id, state.attempts, state.due_ms, state.delivered,
       state.given_up, state.last_attempt_ms, std::int64_t{state.last_status}, state.last_error}));
  return {};
}

Result<void> release(sql::Txn& txn, std::string_view owner) {
  TRY(txn.execute(R"sql(
      UPDATE webhooks SET claim = '', claim_until_ms = 0
      WHERE claim_owner = $1 AND claim_until_ms > 0)sql",
                  {owner}));
  return {};
}

}  // namespace ciclo::events::webhook_store
