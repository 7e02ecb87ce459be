// SPDX-License-Identifier: Apache-2.0
#include "serve/store_segments.h"

#include "base/text.h"
#include "sql/dialect.h"

namespace ciclo::serve::store {
namespace {

Segment segment_of(const sql::Row& row) {
  Segment segment;
  segment.id = row.integer(0);
  segment.server = row.string(1);
  segment.file = {row.string(2), row.string(3), row.string(4), row.integer(5)};
  segment.from = static_cast<std::uint64_t>(row.integer(6));
  segment.to = static_cast<std::uint64_t>(row.integer(7));
  segment.hash = row.string(8);
  return segment;
}

Error doubled(const Segment& segment) {
  return failed_precondition("another server calls itself " + quoted(segment.server) +
                             " and shares what it captures under that name: was its root directory "
                             "copied? Remove the file server-id from one of them");
}

}  // namespace

Result<std::int64_t> add_segment(sql::Txn& txn, const Segment& segment, std::int64_t replaced) {
  // Who has seen an id has seen all smaller ones.
  TRY(sql::serialize(txn, "capture_segments"));
  if (replaced != 0) {
    TRY(const auto removed,
        txn.execute("DELETE FROM capture_segments WHERE segment_id = $1", {replaced}));
    if (removed != 1) return doubled(segment);
  }
  const CaptureFile& file = segment.file;
  const auto from = static_cast<std::int64_t>(segment.from);
  TRY(const auto added,
      txn.execute(R"(
      INSERT INTO capture_segments (server, endpoint, kind, day, number, from_byte, to_byte, hash)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      ON CONFLICT (server, endpoint, kind, day, number, from_byte) DO NOTHING)",
                  {segment.server, file.endpoint, file.kind, file.day, file.number, from,
                   static_cast<std::int64_t>(segment.to), segment.hash}));
  if (added != 1) return doubled(segment);
  TRY(const auto id,
      txn.query_one(R"(
      SELECT segment_id FROM capture_segments
      WHERE server = $1 AND endpoint = $2 AND kind = $3 AND day = $4 AND number = $5
        AND from_byte = $6)",
                    {segment.server, file.endpoint, file.kind, file.day, file.number, from},
                    [](const sql::Row& row) { return row.integer(0); }));
  return id.value_or(0);
}

Result<std::vector<Segment>> last_segments(sql::Reader& reader, std::string_view server) {
  return reader.query_all(R"(
      SELECT segment_id, server, endpoint, kind, day, number, from_byte, to_byte, hash
      FROM capture_segments AS one
      WHERE server = $1 AND NOT EXISTS (
        SELECT 1 FROM capture_segments AS later
        WHERE later.server = one.server AND later.endpoint = one.endpoint
          AND later.kind = one.kind AND later.day = one.day AND later.number = one.number
          AND later.from_byte > one.from_byte))",
                          {server}, segment_of);
}

Result<std::vector<Segment>> segments_of_others(sql::Reader& reader, std::string_view server,
                                                std::int64_t after, int limit) {
  return reader.query_all(R"(
      SELECT segment_id, server, endpoint, kind, day, number, from_byte, to_byte, hash
      FROM capture_segments WHERE segment_id > $1 AND server <> $2
      ORDER BY segment_id LIMIT $3)",
                          {after, server, std::int64_t{limit}}, segment_of);
}

Result<bool> has_segment(sql::Reader& reader, std::int64_t id) {
  TRY(const auto found, reader.query_one("SELECT 1 FROM capture_segments WHERE segment_id = $1",
                                         {id}, [](const sql::Row& row) { return row.integer(0); }));
  return found.has_value();
}

}  // namespace ciclo::serve::store
