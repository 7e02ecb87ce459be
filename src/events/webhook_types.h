// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

// The nouns of webhooks, with MLflow's meanings, and the two ports through which they reach the
// world.

namespace ciclo::events {

// What a webhook may ask for: something of an entity ("model_version") happened ("created").
struct Topic {
  std::string entity;
  std::string action;

  friend auto operator<=>(const Topic&, const Topic&) = default;

  template <class V>
  void fields(V& v) {
    v("entity", entity);
    v("action", action);
  }
};

enum class WebhookStatus { kActive, kDisabled };
std::span<const std::string_view> enum_names(WebhookStatus);

// How the deliveries of a webhook went.
struct DeliveryState {
  std::int64_t delivered = 0;        // answered with a status of 2xx
  std::int64_t given_up = 0;         // refused, or failed too often
  std::int64_t attempts = 0;         // failed ones of the delivery under way
  std::int64_t due_ms = 0;           // when it is tried next
  std::int64_t last_attempt_ms = 0;  // 0: there was none
  int last_status = 0;               // 0: no answer came
  std::string last_error;            // empty: the last attempt succeeded

  template <class V>
  void fields(V& v) {
    v("delivered", delivered);
    v("given_up", given_up);
    v("attempts", attempts);
    v("due_ms", due_ms);
    v("last_attempt_ms", last_attempt_ms);
    v("last_status", last_status);
    v("last_error", last_error);
  }
};

struct Webhook {
  std::string webhook_id;
  std::string name;
  std::string description;
  std::string url;
  std::vector<Topic> topics;  // sorted, at least one
  WebhookStatus status = WebhookStatus::kActive;
  bool is_signed = false;  // it has a secret, which is never given out
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  DeliveryState deliveries;

  template <class V>
  void fields(V& v) {
    v("webhook_id", webhook_id);
    v("name", name);
    v("description", description);
    v("url", url);
    v("topics", topics);
    v("status", status);
    v("is_signed", is_signed);
    v("created_ms", created_ms);
    v("updated_ms", updated_ms);
    v("deliveries", deliveries);
  }
};

struct Post {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct PostAnswer {
  int status = 0;
  std::string body;  // its beginning
  std::optional<std::chrono::seconds> retry_after;
};

// Carries posts. Safe to share between threads.
class Sender {
 public:
  virtual ~Sender() = default;
  // Whether the URL is one that may be called: invalid_argument when it never may, unavailable when
  // that cannot be told now. May ask the network for the host's addresses.
  virtual Result<void> check(const std::string& url) = 0;
  // One attempt, without following redirects. Returns within WebhookOptions::timeout. An error when
  // no whole answer came, or the host's address is none that may be called.
  virtual Result<PostAnswer> post(const Post& post) = 0;
};

// Keeps secrets and signs with them. Safe to share between threads.
class Secrets {
 public:
  virtual ~Secrets() = default;
  // The text under which a secret is stored for the object `name`.
  virtual Result<std::string> seal(std::string_view secret, std::string_view name) = 0;
  // The secret again; data_loss or failed_precondition when that is impossible.
  virtual Result<std::string> open(std::string_view sealed, std::string_view name) = 0;
  // HMAC-SHA256 of the text in base64.
  virtual std::string sign(std::string_view secret, std::string_view text) = 0;
};

}  // namespace ciclo::events
