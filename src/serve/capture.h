// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "data/batch.h"

// Predictions and labels on disk, as JSON lines:
//   ROOT/ENDPOINT/captured/2013-06-01/000001.jsonl   one line a predicted row, by the day of its
//   event ROOT/ENDPOINT/labels/2013-06-02/000001.jsonl     one line a label, by the day it became
//   known
// and, in a folder of each day for each other server, what that one has handed over
// (serve/shared_capture.h).
//
// What survives what:
//   kill -9 of the process   every row whose `append_rows` returned true, so every prediction that
//                            was answered; every label whose `append_labels` returned well. Rows
//                            are handed to the kernel by write(2) before the answer.
//   power loss, or a crash   labels as before; rows but for those of the last flush interval, since
//   of the kernel            a thread syncs them in batches.
// A torn last line in a file is passed over by readers; a file is never continued by another
// process, nor after an error, so a torn line is always the last.

namespace ciclo::serve {

struct CaptureOptions {
  std::filesystem::path root;
  std::chrono::milliseconds flush_interval{1'000};  // between two syncs of captured rows
  std::size_t file_bytes_max = 64 << 20;            // a longer file is followed by the next number
  std::size_t files_open_max = 32;
  std::size_t known_ids_max = 1 << 20;  // per endpoint, to tell labels of unknown inferences
};

// The rows of one request.
struct CapturedRows {
  std::string endpoint;
  std::string model;
  std::string version;
  std::int64_t time_ms = 0;                  // when it was served
  std::vector<std::string> inference_ids;    // one a row
  std::vector<std::int64_t> event_times_ms;  // one a row
  data::Batch inputs;
  data::Batch outputs;
};

struct Label {
  std::string inference_id;
  json::Value label;  // a number, a boolean or a text
  // When the label became known; absent: the newest event time of the endpoint's traffic, or now
  // where there was none.
  std::optional<std::int64_t> time_ms;
};

struct LabelsAccepted {
  std::int64_t accepted = 0;
  // Of these, labels whose inference id is not among the newest known_ids_max captured ones. They
  // are kept: a prediction may be older, or another server's.
  std::int64_t unknown = 0;
};

struct CaptureStats {
  std::uint64_t rows_written = 0;
  std::uint64_t rows_dropped = 0;  // the disk refused them
  std::uint64_t bytes_written = 0;
  std::uint64_t labels_written = 0;
  std::uint64_t labels_unknown = 0;
};

// Safe to share between threads. One process writes below one root.
class Capture {
 public:
  // The clock must outlive the capture. Starts the thread that syncs; makes no file before the
  // first row.
  Capture(CaptureOptions options, Clock& clock);
  // Syncs and joins.
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Writes the rows; they survive the end of this process when it returns. It waits for the disk
  // only while the kernel holds back a writer because too much is unwritten, for the first row of
  // an endpoint, and to open further files while twice files_open_max wait for their sync, as rows
  // of very many days do. False when the disk refused: the rows are then counted as dropped, and
  // the next flush tells why.
  bool append_rows(const CapturedRows& rows);

  // Makes all that was appended before durable. The error of an append since the last flush, or of
  // this one.
  Result<void> flush();

  // Appends and syncs; calls that wait share one sync.
  Result<LabelsAccepted> append_labels(const std::string& endpoint,
                                       const std::vector<Label>& labels);

  // The newest event time that was captured for the endpoint; absent when there is none. Reads the
  // newest day's files at the first call after a start.
  std::optional<std::int64_t> newest_event_ms(const std::string& endpoint);

  // The newest time at which a label became known, likewise.
  std::optional<std::int64_t> newest_label_ms(const std::string& endpoint);

  // What another server captured and this one has taken over: a row, or a label.
  void learn_row(const std::string& endpoint, std::string_view inference_id,
                 std::int64_t event_time_ms);
  void learn_label(const std::string& endpoint, std::int64_t time_ms);

  CaptureStats stats() const;
  const std::filesystem::path& root() const { return options_.root; }

 private:
  struct State;
  void sync_until_stopped(std::stop_token stop);

  const CaptureOptions options_;
  Clock& clock_;
  std::unique_ptr<State> state_;
  std::jthread syncer_;
};

// One captured row, as read back.
struct CapturedRow {
  std::string_view inference_id;
  std::string_view model;  // empty in lines that were written before models were named
  std::string_view version;
  std::int64_t time_ms = 0;
  std::int64_t event_time_ms = 0;
  json::View inputs;  // an object: column → value
  json::View outputs;
};

struct LabelRow {
  std::string_view inference_id;
  json::View label;
  std::int64_t time_ms = 0;
};

// Reads the rows with an event time in [from_ms, to_ms), file by file in the order of their
// writing, without order among event times. Lines that are torn or damaged are passed over and
// counted. An error of the callback ends the reading. What the callback gets is valid during the
// call only. Safe to call while a Capture writes.
struct ReadStats {
  std::uint64_t rows = 0;
  std::uint64_t damaged_lines = 0;
};
Result<ReadStats> read_captured(const std::filesystem::path& root, const std::string& endpoint,
                                std::int64_t from_ms, std::int64_t to_ms,
                                const std::function<Result<void>(const CapturedRow&)>& on_row);
// The same for labels, by the time that they became known.
Result<ReadStats> read_labels(const std::filesystem::path& root, const std::string& endpoint,
                              std::int64_t from_ms, std::int64_t to_ms,
                              const std::function<Result<void>(const LabelRow&)>& on_label);

// The days (first moment, UTC) of which there are captured rows, ascending.
std::vector<std::int64_t> captured_days(const std::filesystem::path& root,
                                        const std::string& endpoint);
std::vector<std::int64_t> label_days(const std::filesystem::path& root,
                                     const std::string& endpoint);

// "2013-06-01" of a time; the first moment of the day.
std::string day_name(std::int64_t ms);
std::int64_t day_start_ms(std::int64_t ms);

}  // namespace ciclo::serve
