-- Webhooks: who wants to hear of which events, how far each has been told, and how that went.

CREATE TABLE webhooks (
  webhook_id TEXT PRIMARY KEY,
  workspace TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  url TEXT NOT NULL,
  -- "model_version.created registered_model.created", sorted, one blank between two.
  events TEXT NOT NULL,
  is_active BIGINT NOT NULL,
  -- Empty: none. As events::Secrets keeps it otherwise.
  secret TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  -- The event up to which this webhook is done.
  event_id BIGINT NOT NULL,
  -- Of the delivery that comes next: its attempts, when it is due, who is at it until when.
  attempts BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  claim_owner TEXT NOT NULL,
  claim TEXT NOT NULL,
  claim_until_ms BIGINT NOT NULL,
  -- What became of deliveries: their numbers, and the last attempt. Status 0: no answer came.
  delivered BIGINT NOT NULL,
  given_up BIGINT NOT NULL,
  last_attempt_ms BIGINT NOT NULL,
  last_status BIGINT NOT NULL,
  last_error TEXT NOT NULL
);
CREATE INDEX webhooks_by_workspace ON webhooks (workspace, webhook_id);
CREATE INDEX webhooks_by_due ON webhooks (is_active, due_ms, webhook_id);
