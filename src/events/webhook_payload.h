// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "events/log.h"
#include "events/webhook_types.h"

// What webhooks send: our events in MLflow's words (3.17). Registered models that carry the tag
// mlflow.prompt.is_prompt are prompts, which have topics of their own.

namespace ciclo::events {

// The kinds of events that webhooks can ask for.
std::span<const std::string_view> webhook_kinds();

// invalid_argument for an unknown entity, or an action that it does not have, with those it has.
Result<void> check_topic(const Topic& topic);

// What an event is to a webhook; nullopt when there is no topic for it.
struct Notice {
  Topic topic;
  json::Value data;
};
std::optional<Notice> notice_of(const Event& event);

// A notice made up for a test. The topic must be a known one.
Notice example_of(const Topic& topic);

// {"entity": …, "action": …, "timestamp": "2026-01-31T05:07:09.120+00:00", "data": …}
std::string payload_of(const Notice& notice, std::int64_t time_ms);

}  // namespace ciclo::events
