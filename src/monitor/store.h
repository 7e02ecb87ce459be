// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "monitor/monitor.h"
#include "sql/database.h"

// The tables of the monitor. Functions without state; each runs in the caller's transaction or
// snapshot.

namespace ciclo::monitor::store {

Result<std::optional<std::int64_t>> closed_until(sql::Reader& reader, std::string_view endpoint);
Result<void> set_closed_until(sql::Txn& txn, std::string_view endpoint, std::int64_t ms);

// False when the window is there already.
Result<bool> add_window(sql::Txn& txn, const Window& window, std::int64_t next_measure_ms);
Result<void> set_metrics(sql::Txn& txn, const Window& window, std::int64_t next_measure_ms);
Result<std::optional<Window>> find_window(sql::Reader& reader, std::string_view id);
Result<std::vector<Window>> windows(sql::Reader& reader, std::string_view endpoint,
                                    std::int64_t before_ms, int limit);
// The judged windows of the same endpoint, model and version that start before this one, newest
// first.
Result<std::vector<Window>> judged_before(sql::Reader& reader, const Window& window, int limit);
// Windows to be measured once labels have come up to `label_time_ms`, oldest first.
Result<std::vector<Window>> windows_due(sql::Reader& reader, std::string_view endpoint,
                                        std::int64_t label_time_ms);

// False when the window has raised an alarm of that kind before.
Result<bool> add_alert(sql::Txn& txn, const Alert& alert);
Result<std::vector<Alert>> alerts(sql::Reader& reader, std::string_view endpoint,
                                  std::int64_t before, int limit);

}  // namespace ciclo::monitor::store
