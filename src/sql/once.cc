// SPDX-License-Identifier: Apache-2.0
#include "sql/once.h"

#include "base/text.h"

namespace ciclo::sql {
namespace {

struct Recorded {
  std::string request;
  std::string body_hash;
  std::string value;
};

Result<std::optional<Recorded>> find(Reader& reader, const Context& context, std::int64_t part) {
  return reader.query_one(
      R"sql(
      SELECT request, body_hash, value FROM keyed_calls
      WHERE workspace = $1 AND caller = $2 AND call_key = $3 AND part = $4)sql",
      {std::string_view(context.workspace), std::string_view(context.caller),
       std::string_view(context.keyed->key), part},
      [](const Row& row) {
        return Recorded{row.string(0), row.string(1), row.string(2)};
      });
}

// Whether the key is ours now: false when a call before has recorded it. One that is under way is
// waited for, on PostgreSQL at the unique index, and this transaction then begins anew.
Result<bool> claim(Txn& txn, const Context& context, std::int64_t part) {
  const KeyedCall& call = *context.keyed;
  TRY(const std::int64_t inserted,
      txn.execute(R"sql(
      INSERT INTO keyed_calls
        (workspace, caller, call_key, part, request, body_hash, value, created_ms)
      VALUES ($1, $2, $3, $4, $5, $6, '', $7)
      ON CONFLICT (workspace, caller, call_key, part) DO NOTHING)sql",
                  {std::string_view(context.workspace), std::string_view(context.caller),
                   std::string_view(call.key), part, std::string_view(call.request),
                   std::string_view(call.body_hash), call.received_ms}));
  return inserted == 1;
}

// An upsert of the row that is there, not an UPDATE: that would read the index, and on PostgreSQL
// all calls whose keys are neighbours in it would then be in conflict with one another.
Result<void> record(Txn& txn, const Context& context, std::int64_t part, std::string_view value) {
  if (value.empty()) return {};
  const KeyedCall& call = *context.keyed;
  return txn.write(R"sql(
      INSERT INTO keyed_calls
        (workspace, caller, call_key, part, request, body_hash, value, created_ms)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      ON CONFLICT (workspace, caller, call_key, part) DO UPDATE SET value = excluded.value)sql",
                   {std::string_view(context.workspace), std::string_view(context.caller),
                    std::string_view(call.key), part, std::string_view(call.request),
                    std::string_view(call.body_hash), value, call.received_ms});
}

Result<Recorded> recorded_for(Reader& reader, const Context& context, std::int64_t part) {
  const KeyedCall& call = *context.keyed;
  TRY(auto found, find(reader, context, part));
  if (!found) return internal("the key " + quoted(call.key) + " is neither free nor recorded");
  if (found->request == call.request && found->body_hash == call.body_hash) {
    return std::move(*found);
  }
  return failed_precondition("Idempotency-Key " + quoted(call.key) + " was used for " +
                             found->request +
                             (found->request == call.request ? " with another body" : "") +
                             ": a key belongs to one request, send a new one with each");
}

}  // namespace

namespace detail {

Result<void> transaction_once(Database& database, const Context& context,
                              const std::function<Result<std::string>(Txn&)>& body,
                              const std::function<Result<void>(std::string_view)>& replay) {
  const std::int64_t part = context.keyed->parts;
  bool is_new = true;
  TRY(database.transaction([&](Txn& txn) -> Result<void> {
    TRY(is_new, claim(txn, context, part));
    if (!is_new) {
      TRY(const auto recorded, recorded_for(txn, context, part));
      const auto replayed = replay(recorded.value);
      if (replayed.ok()) return {};
      return data_loss("what is recorded for Idempotency-Key " + quoted(context.keyed->key) +
                       " cannot be read: " + replayed.error().message);
    }
    TRY(const std::string value, body(txn));
    return record(txn, context, part, value);
  }));
  context.keyed->parts += 1;
  if (!is_new) context.keyed->replayed += 1;
  return {};
}

}  // namespace detail

Result<std::int64_t> forget_keys(Database& database, std::int64_t before_ms, std::int64_t limit) {
  return database.transact([&](Txn& txn) {
    return txn.execute(R"sql(
        DELETE FROM keyed_calls WHERE (workspace, caller, call_key, part) IN (
          SELECT workspace, caller, call_key, part FROM keyed_calls
          WHERE created_ms < $1 ORDER BY created_ms LIMIT $2))sql",
                       {before_ms, limit});
  });
}

}  // namespace ciclo::sql
