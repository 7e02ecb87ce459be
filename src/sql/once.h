// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/context.h"
#include "base/json_fields.h"
#include "base/result.h"
#include "sql/database.h"

// A service's write, which takes effect once however often its client sends the call. Without a key
// in the context it is Database::transaction. With one, the value that the body returns is recorded
// under the key in the same transaction; a call that comes again with the key gets that value and
// writes nothing, so that what prints it prints the same answer. Decision 5 says why it is done
// here.

namespace ciclo::sql {

namespace detail {

// `body` writes and returns the text to record; `replay` takes the text that was recorded.
Result<void> transaction_once(Database& database, const Context& context,
                              const std::function<Result<std::string>(Txn&)>& body,
                              const std::function<Result<void>(std::string_view)>& replay);

}  // namespace detail

// Runs the body as Database::transaction does, or answers with what an earlier call of the same key
// returned. The value must be one that json_fields.h writes and reads. A body that fails records
// nothing: the next call with the key tries again. Of two calls at once the second waits for the
// first. Errors beside the body's own: failed_precondition when the key was used for another
// request. Several calls within one request are told apart by their order, which must be the same
// each time.
template <class F>
auto once(Database& database, const Context& context, F&& body) -> std::invoke_result_t<F, Txn&> {
  using Value = typename std::invoke_result_t<F, Txn&>::Value;
  if constexpr (std::is_void_v<Value>) {
    if (context.keyed == nullptr) return database.transaction(body);
    return detail::transaction_once(
        database, context,
        [&](Txn& txn) -> Result<std::string> {
          TRY(body(txn));
          return std::string();
        },
        [](std::string_view) { return Result<void>(); });
  } else {
    if (context.keyed == nullptr) return database.transact(body);
    std::optional<Value> value;
    TRY(detail::transaction_once(
        database, context,
        [&](Txn& txn) -> Result<std::string> {
          TRY(value, body(txn));
          return json::write(*value);
        },
        [&](std::string_view recorded) -> Result<void> {
          TRY(value, json::read<Value>(recorded));
          return {};
        }));
    return std::move(*value);
  }
}

// Removes at most `limit` of the keys whose call came before `before_ms`, the oldest first; how
// many it removed.
Result<std::int64_t> forget_keys(Database& database, std::int64_t before_ms, std::int64_t limit);

}  // namespace ciclo::sql
