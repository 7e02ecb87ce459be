// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "events/webhook_types.h"
#include "sql/database.h"

// The SQL of webhooks: functions over a transaction or snapshot.

namespace ciclo::events::webhook_store {

struct Stored {
  std::string workspace;
  std::string sealed;         // the secret as it is kept; empty: none
  std::int64_t event_id = 0;  // up to which it is done
  Webhook webhook;
};

Result<void> insert(sql::Txn& txn, const Stored& row);
Result<std::optional<Stored>> find(sql::Reader& reader, std::string_view workspace,
                                   std::string_view webhook_id);
// The newest first, those made before `before`; all when it is empty.
Result<std::vector<Webhook>> list(sql::Reader& reader, std::string_view workspace,
                                  std::string_view before, std::int64_t limit);
// All that a user may change, and where its deliveries stand.
Result<void> update(sql::Txn& txn, const Stored& row);
Result<bool> remove(sql::Txn& txn, std::string_view workspace, std::string_view webhook_id);

// The id of the newest event of these kinds; 0 when there is none.
Result<std::int64_t> newest_event(sql::Reader& reader, std::span<const std::string_view> kinds);

// The active webhook that has waited longest of those that are behind `newest`, due, and that
// nobody works at.
Result<std::optional<Stored>> find_due(sql::Reader& reader, std::int64_t newest,
                                       std::int64_t now_ms);

// Who works at a webhook until when; it is found by `claim`, which is unique.
struct Claim {
  std::string owner;
  std::string claim;
  std::int64_t until_ms = 0;
};
// False when it is no longer as it was found: another was faster, or it was changed.
Result<bool> take(sql::Txn& txn, const Stored& found, const Claim& claim, std::int64_t now_ms);
// Ends the claim with what came of it: the cursor (never back), the next delivery and the counts.
// Nothing when the webhook is gone or the claim is over.
Result<void> finish(sql::Txn& txn, const Stored& row, std::string_view claim);
// Ends what this owner had claimed when it died.
Result<void> release(sql::Txn& txn, std::string_view owner);

}  // namespace ciclo::events::webhook_store
