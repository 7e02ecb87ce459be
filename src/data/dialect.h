// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/engine.h"

// How the text files are written that people bring: what they say about them, and what the first
// bytes tell. Pure functions.

namespace ciclo::data {

struct SourceOptions {
  // csv, json or jsonl (the same), parquet; empty: by the first bytes and the name's ending (.csv
  // .tsv .txt .json .jsonl .ndjson .parquet; each also inside .gz, .zst, or a .zip with one
  // member).
  std::string format;
  std::string delimiter;  // one character, or "tab"; empty: found out among , ; tab |
  std::string header;     // yes, no; empty: found out
  std::string encoding;   // utf-8, utf-16, latin-1; empty: utf-8, or utf-16 by its byte order mark
  std::vector<std::string> null_texts = CsvDialect{}.null_texts;
  std::string timestamp_format;

  template <class V>
  void fields(V& v) {
    v.or_default("format", format);
    v.or_default("delimiter", delimiter);
    v.or_default("header", header);
    v.or_default("encoding", encoding);
    v.or_default("null_texts", null_texts);
    v.or_default("timestamp_format", timestamp_format);
  }
};

// The records of a CSV text (RFC 4180 with any delimiter), at most `records_max`. Unless the text
// is `complete`, its last record is left out, as it may have been cut.
std::vector<std::vector<std::string>> split_records(std::string_view text, char delimiter,
                                                    bool complete, std::size_t records_max);

// The dialect of a file that begins with `head` (UTF-8, without byte order mark). The delimiter is
// the one that gives most records as many fields as the first; the first record is a header unless
// one of its fields is a number (and they are not 0, 1, 2, …). Columns without a name become
// column_1, … by position. invalid_argument: options of no meaning, an empty text, duplicate names
// (upper and lower case alike).
Result<CsvDialect> sniff_csv(std::string_view head, bool complete, const SourceOptions& options);

}  // namespace ciclo::data
