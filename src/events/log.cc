// SPDX-License-Identifier: Apache-2.0
#include "events/log.h"

#include <map>
#include <utility>

#include "sql/dialect.h"

namespace ciclo::events {
namespace {

Result<Event> read_event(const sql::Row& row) {
  Event event;
  event.id = row.integer(0);
  event.time_ms = row.integer(1);
  event.workspace = row.string(2);
  event.kind = row.string(3);
  event.subject = row.string(4);
  auto body = json::parse(row.text(5));
  if (!body.ok()) {
    return data_loss("event " + std::to_string(event.id) +
                     " has a body that is not JSON: " + body.error().message);
  }
  event.body = std::move(body).value();
  return event;
}

// One query per kind, each along its index, rather than one whose text depends on the number of
// kinds.
Result<void> read_kind(sql::Reader& reader, std::int64_t after, int limit, std::string_view kind,
                       std::map<std::int64_t, Event>& found) {
  return reader.query(R"sql(
      SELECT id, time_ms, workspace, kind, subject, body FROM events
      WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3)sql",
                      {kind, after, std::int64_t{limit}}, [&](const sql::Row& row) -> Result<void> {
                        TRY(auto event, read_event(row));
                        found.emplace(event.id, std::move(event));
                        return {};
                      });
}

Result<void> read_all(sql::Reader& reader, std::int64_t after, int limit,
                      std::map<std::int64_t, Event>& found) {
  return reader.query(R"sql(
      SELECT id, time_ms, workspace, kind, subject, body FROM events
      WHERE id > $1 ORDER BY id LIMIT $2)sql",
                      {after, std::int64_t{limit}}, [&](const sql::Row& row) -> Result<void> {
                        TRY(auto event, read_event(row));
                        found.emplace(event.id, std::move(event));
                        return {};
                      });
}

}  // namespace

Log::Log(sql::Database& database, Clock& clock) : database_(database), clock_(clock) {}

// From here to its commit no other transaction gets an id: ids become visible in their order, so
// that a reader that has seen an id has seen all smaller ones.
Result<void> Log::append(sql::Txn& txn, std::string_view workspace, std::string_view kind,
                         std::string_view subject, const json::Value& body) {
  TRY(sql::serialize(txn, "events"));
  const std::string text = json::dump(body);
  return txn.write(
      R"sql(
      INSERT INTO events (time_ms, workspace, kind, subject, body) VALUES ($1, $2, $3, $4, $5))sql",
      {clock_.now_ms(), workspace, kind, subject, std::string_view(text)});
}

Result<std::vector<Event>> Log::read_after(std::int64_t after, int limit,
                                           std::span<const std::string_view> kinds) {
  std::map<std::int64_t, Event> found;
  TRY(database_.read([&](sql::Reader& reader) -> Result<void> {
    found.clear();
    if (kinds.empty()) return read_all(reader, after, limit, found);
    for (const auto kind : kinds) TRY(read_kind(reader, after, limit, kind, found));
    return {};
  }));
  std::vector<Event> events;
  for (auto& [id, event] : found) {
    if (events.size() == static_cast<std::size_t>(limit)) break;
    events.push_back(std::move(event));
  }
  return events;
}

Result<std::int64_t> Log::last_id() {
  TRY(const auto id, database_.view([](sql::Reader& reader) {
    return reader.query_one("SELECT COALESCE(MAX(id), 0) FROM events", {},
                            [](const sql::Row& row) { return row.integer(0); });
  }));
  return id.value_or(0);
}

Result<std::int64_t> Log::cursor(std::string_view consumer) {
  TRY(const auto id, database_.view([&](sql::Reader& reader) {
    return reader.query_one("SELECT event_id FROM event_cursors WHERE consumer = $1", {consumer},
                            [](const sql::Row& row) { return row.integer(0); });
  }));
  return id.value_or(0);
}

Result<bool> Log::advance(sql::Txn& txn, std::string_view consumer, std::int64_t id) {
  TRY(const std::int64_t moved, txn.execute(R"sql(
      INSERT INTO event_cursors (consumer, event_id) VALUES ($1, $2)
      ON CONFLICT (consumer) DO UPDATE SET event_id = excluded.event_id
      WHERE event_cursors.event_id < excluded.event_id)sql",
                                            {consumer, id}));
  return moved == 1;
}

void Log::wake() {
  {
    const std::lock_guard lock(mutex_);
    ++version_;
  }
  changed_.notify_all();
}

void Log::wait(std::uint64_t& seen, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return version_ != seen; });
  seen = version_;
}

}  // namespace ciclo::events
