// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "events/webhook_types.h"
#include "http/crypto.h"

// How webhooks reach the network and keep secrets: events' ports over http.

namespace ciclo::app {

struct WebhookReach {
  bool allow_http = false;     // beside https
  bool allow_private = false;  // addresses that are not of the public Internet
  std::chrono::milliseconds timeout{10'000};
  std::string ca_file;  // PEM; the system's when empty
};

// `random` must outlive it.
std::unique_ptr<events::Sender> webhook_sender(Random& random, const WebhookReach& reach);

// With a key, secrets are encrypted; without one they are stored as they are. `random` must outlive
// it.
std::unique_ptr<events::Secrets> webhook_secrets(Random& random, std::optional<http::SealKey> key);

}  // namespace ciclo::app
