// SPDX-License-Identifier: Apache-2.0
#include "serve/capture.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <deque>
#include <limits>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/worker_pool.h"
#include "serve/capture_files.h"
#include "serve/known_ids.h"

namespace ciclo::serve {
namespace {

namespace fs = std::filesystem;

// What the rows occupy while they wait; an estimate that counts what grows.
std::size_t size_of(const CapturedRows& rows) {
  std::size_t bytes = sizeof(CapturedRows);
  for (const auto& id : rows.inference_ids) bytes += sizeof(std::string) + id.size();
  for (const data::Batch* batch : {&rows.inputs, &rows.outputs}) {
    for (const auto& column : batch->columns) {
      bytes += sizeof(data::Column) + column.numbers.size() * sizeof(double);
      for (const auto& text : column.texts) bytes += sizeof(std::string) + text.size();
    }
  }
  return bytes;
}

void write_cell(json::Writer& writer, const data::Column& column, std::size_t row) {
  if (column.is_null(row)) {
    writer.null();
    return;
  }
  switch (column.type) {
    case data::ColumnType::kText: writer.string(column.texts[row]); return;
    case data::ColumnType::kBoolean: writer.boolean(column.numbers[row] != 0); return;
    case data::ColumnType::kInteger:
    case data::ColumnType::kTimestamp:
      if (std::abs(column.numbers[row]) < 9e15 &&
          std::trunc(column.numbers[row]) == column.numbers[row]) {
        writer.integer(static_cast<std::int64_t>(column.numbers[row]));
        return;
      }
      break;
    case data::ColumnType::kNumber: break;
  }
  writer.number(column.numbers[row]);
}

void write_row(json::Writer& writer, const data::Batch& batch, std::size_t row) {
  writer.begin_object();
  for (const auto& column : batch.columns) {
    writer.key(column.name);
    write_cell(writer, column, row);
  }
  writer.end_object();
}

void write_line(std::string& out, const CapturedRows& rows, std::size_t row) {
  json::Writer writer(out);
  writer.begin_object();
  writer.key("inference_id").string(rows.inference_ids[row]);
  writer.key("time_ms").integer(rows.time_ms);
  writer.key("event_time_ms").integer(rows.event_times_ms[row]);
  writer.key("version").string(rows.version);
  writer.key("inputs");
  write_row(writer, rows.inputs, row);
  writer.key("outputs");
  write_row(writer, rows.outputs, row);
  writer.end_object();
  out += '\n';
}

using LinesByDirectory = std::map<fs::path, std::string>;

// A label call that waits for its lines to be durable.
struct PendingLabels {
  LinesByDirectory lines;
  Result<void> result;
  bool is_done = false;
};

// What is known of an endpoint's rows on disk.
struct Known {
  explicit Known(std::size_t ids_max) : ids(ids_max) {}
  KnownIds ids;
  std::optional<std::int64_t> newest_event_ms;
  std::optional<std::int64_t> newest_label_ms;
  bool is_loaded = false;  // what earlier processes wrote has been read
};

void raise(std::optional<std::int64_t>& newest, std::int64_t time_ms) {
  newest = std::max(newest.value_or(time_ms), time_ms);
}

// Of the newest day that has labels; an unreadable file counts as none.
std::optional<std::int64_t> newest_label_on_disk(const fs::path& root,
                                                 const std::string& endpoint) {
  std::optional<std::int64_t> newest;
  const auto days = label_days(root, endpoint);
  for (auto day = days.rbegin(); day != days.rend() && !newest; ++day) {
    const auto read =
        read_labels(root, endpoint, *day, *day + 86'400'000, [&](const LabelRow& row) {
          raise(newest, row.time_ms);
          return Result<void>();
        });
    if (!read.ok()) log::warn("cannot read labels", {{"endpoint", endpoint}});
  }
  return newest;
}

}  // namespace

struct Capture::State {
  // Rows on their way to the writer.
  std::mutex mutex;
  std::condition_variable_any wake;
  std::condition_variable flushed;
  std::deque<CapturedRows> queue;  // guarded by mutex
  std::size_t queue_bytes = 0;     // guarded by mutex
  std::uint64_t submitted = 0;     // guarded by mutex; calls of submit that were taken
  std::uint64_t settled = 0;       // guarded by mutex; of these, on disk or given up
  bool flush_wanted = false;       // guarded by mutex
  Result<void> last_write;         // guarded by mutex

  std::optional<AppendFiles> captured_files;  // the writer thread's

  std::mutex labels_mutex;
  std::condition_variable labels_done;
  std::vector<PendingLabels*> labels_waiting;  // guarded by labels_mutex
  bool labels_are_written = false;             // guarded by labels_mutex; one caller writes for all
  std::optional<AppendFiles> label_files;      // of the caller that writes

  std::mutex known_mutex;
  std::map<std::string, Known, std::less<>> known;  // guarded by known_mutex

  std::atomic<std::uint64_t> rows_written{0};
  std::atomic<std::uint64_t> rows_dropped{0};
  std::atomic<std::uint64_t> bytes_written{0};
  std::atomic<std::uint64_t> labels_written{0};
  std::atomic<std::uint64_t> labels_unknown{0};

  Result<void> write_captured(const CaptureOptions& options, std::deque<CapturedRows>& rows);
  Result<void> write_labels(const LinesByDirectory& lines);
  Known& known_of(const CaptureOptions& options, const std::string& endpoint);
  void load_known(const CaptureOptions& options, const std::string& endpoint);
};

Capture::Capture(CaptureOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock), state_(std::make_unique<State>()) {
  const AppendFiles::Limits limits{options_.file_bytes_max, options_.files_open_max};
  state_->captured_files.emplace(limits);
  state_->label_files.emplace(limits);
  writer_ = std::jthread([this](std::stop_token stop) { write_until_stopped(stop); });
}

Capture::~Capture() {
  writer_.request_stop();
  writer_.join();
}

bool Capture::submit(CapturedRows rows) {
  const std::size_t bytes = size_of(rows);
  const std::size_t count = rows.inference_ids.size();
  bool wake = false;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->queue_bytes + bytes > options_.queue_bytes_max) {
      state_->rows_dropped += count;
      return false;
    }
    // The writer sleeps for the interval once it has seen the first row; a long queue rouses it
    // sooner.
    wake = state_->queue.empty() || (state_->queue_bytes < options_.queue_bytes_max / 4 &&
                                     state_->queue_bytes + bytes >= options_.queue_bytes_max / 4);
    state_->queue.push_back(std::move(rows));
    state_->queue_bytes += bytes;
    ++state_->submitted;
  }
  if (wake) state_->wake.notify_one();
  return true;
}

Result<void> Capture::flush() {
  std::unique_lock lock(state_->mutex);
  const std::uint64_t target = state_->submitted;
  if (state_->settled >= target) return state_->last_write;
  state_->flush_wanted = true;
  state_->wake.notify_one();
  state_->flushed.wait(lock, [&] { return state_->settled >= target; });
  return state_->last_write;
}

void Capture::write_until_stopped(std::stop_token stop) {
  set_thread_name("capture");
  std::unique_lock lock(state_->mutex);
  while (true) {
    state_->wake.wait(lock, stop, [&] { return !state_->queue.empty(); });
    if (state_->queue.empty()) return;  // stopped, and all is written
    state_->wake.wait_for(lock, stop, options_.flush_interval, [&] {
      return state_->flush_wanted || state_->queue_bytes >= options_.queue_bytes_max / 4;
    });
    auto rows = std::exchange(state_->queue, {});
    const std::uint64_t taken = state_->submitted;
    const std::size_t bytes = state_->queue_bytes;
    state_->flush_wanted = false;
    lock.unlock();
    auto written = state_->write_captured(options_, rows);
    if (!written.ok()) log::warn("capture cannot write", {{"error", written.error().message}});
    rows.clear();
    lock.lock();
    // The bytes counted until now, so that the bound holds for rows being written, too.
    state_->queue_bytes -= bytes;
    state_->settled = taken;
    state_->last_write = std::move(written);
    state_->flushed.notify_all();
  }
}

Result<void> Capture::State::write_captured(const CaptureOptions& options,
                                            std::deque<CapturedRows>& rows) {
  Result<void> first;
  std::map<std::pair<std::string, std::int64_t>, std::pair<std::string, std::uint64_t>> lines;
  const auto write_out = [&] {
    for (auto& [key, text] : lines) {
      const auto directory = options.root / key.first / "captured" / day_name(key.second);
      const auto appended = captured_files->append(directory, text.first);
      if (appended.ok()) {
        rows_written += text.second;
        bytes_written += text.first.size();
      } else {
        rows_dropped += text.second;
        if (first.ok()) first = appended;
      }
    }
    lines.clear();
  };
  constexpr std::size_t kPieceBytes = 4 << 20;
  std::size_t bytes = 0;
  for (const auto& request : rows) {
    for (std::size_t row = 0; row < request.inference_ids.size(); ++row) {
      auto& [text, count] = lines[{request.endpoint, day_start_ms(request.event_times_ms[row])}];
      const std::size_t before = text.size();
      write_line(text, request, row);
      bytes += text.size() - before;
      ++count;
    }
    if (bytes < kPieceBytes) continue;
    write_out();
    bytes = 0;
  }
  write_out();
  const auto synced = captured_files->sync();
  if (first.ok()) first = synced;
  // Known only now: a label that names one of these rows finds it on disk.
  const std::lock_guard lock(known_mutex);
  for (const auto& request : rows) {
    Known& endpoint = known_of(options, request.endpoint);
    for (std::size_t row = 0; row < request.inference_ids.size(); ++row) {
      endpoint.ids.add(request.inference_ids[row]);
      raise(endpoint.newest_event_ms, request.event_times_ms[row]);
    }
  }
  return first;
}

Known& Capture::State::known_of(const CaptureOptions& options, const std::string& endpoint) {
  return known.try_emplace(endpoint, options.known_ids_max).first->second;
}

// Reads, once for each endpoint, what earlier processes wrote: newest days first, until there are
// enough.
void Capture::State::load_known(const CaptureOptions& options, const std::string& endpoint) {
  {
    const std::lock_guard lock(known_mutex);
    if (known_of(options, endpoint).is_loaded) return;
  }
  std::optional<std::int64_t> newest;
  std::vector<std::vector<std::string>> by_day;
  std::size_t count = 0;
  const auto days = captured_days(options.root, endpoint);
  for (auto day = days.rbegin(); day != days.rend() && count < options.known_ids_max / 2; ++day) {
    auto& ids = by_day.emplace_back();
    const auto read =
        read_captured(options.root, endpoint, *day, *day + 86'400'000, [&](const CapturedRow& row) {
          ids.emplace_back(row.inference_id);
          raise(newest, row.event_time_ms);
          return Result<void>();
        });
    if (!read.ok()) {
      log::warn("cannot read captured rows",
                {{"endpoint", endpoint}, {"error", read.error().message}});
    }
    count += ids.size();
  }
  const auto newest_label = newest_label_on_disk(options.root, endpoint);
  const std::lock_guard lock(known_mutex);
  Known& endpoint_known = known_of(options, endpoint);
  if (endpoint_known.is_loaded) return;
  if (newest_label) raise(endpoint_known.newest_label_ms, *newest_label);
  for (auto ids = by_day.rbegin(); ids != by_day.rend(); ++ids) {
    for (const auto& id : *ids) endpoint_known.ids.add(id);
  }
  if (newest) raise(endpoint_known.newest_event_ms, *newest);
  endpoint_known.is_loaded = true;
}

std::optional<std::int64_t> Capture::newest_event_ms(const std::string& endpoint) {
  state_->load_known(options_, endpoint);
  const std::lock_guard lock(state_->known_mutex);
  return state_->known_of(options_, endpoint).newest_event_ms;
}

std::optional<std::int64_t> Capture::newest_label_ms(const std::string& endpoint) {
  state_->load_known(options_, endpoint);
  const std::lock_guard lock(state_->known_mutex);
  return state_->known_of(options_, endpoint).newest_label_ms;
}

Result<LabelsAccepted> Capture::append_labels(const std::string& endpoint,
                                              const std::vector<Label>& labels) {
  if (labels.empty()) return LabelsAccepted{};
  const std::int64_t default_ms = newest_event_ms(endpoint).value_or(clock_.now_ms());
  PendingLabels pending;
  for (const auto& label : labels) {
    const std::int64_t time_ms = label.time_ms.value_or(default_ms);
    auto& lines = pending.lines[options_.root / endpoint / "labels" / day_name(time_ms)];
    json::Writer writer(lines);
    writer.begin_object();
    writer.key("inference_id").string(label.inference_id);
    writer.key("label").value(label.label);
    writer.key("time_ms").integer(time_ms);
    writer.end_object();
    lines += '\n';
  }
  {
    std::unique_lock lock(state_->labels_mutex);
    state_->labels_waiting.push_back(&pending);
    while (!pending.is_done) {
      if (state_->labels_are_written) {
        state_->labels_done.wait(lock);
        continue;
      }
      // This caller writes for all that wait, with one sync.
      state_->labels_are_written = true;
      const auto group = std::exchange(state_->labels_waiting, {});
      lock.unlock();
      LinesByDirectory lines;
      for (auto* const waiting : group) {
        for (auto& [directory, text] : waiting->lines) lines[directory] += text;
      }
      const auto written = state_->write_labels(lines);
      lock.lock();
      for (auto* const waiting : group) {
        waiting->result = written;
        waiting->is_done = true;
      }
      state_->labels_are_written = false;
      state_->labels_done.notify_all();
    }
  }
  TRY(pending.result);
  LabelsAccepted accepted{.accepted = static_cast<std::int64_t>(labels.size())};
  {
    const std::lock_guard lock(state_->known_mutex);
    Known& known = state_->known_of(options_, endpoint);
    for (const auto& label : labels) {
      raise(known.newest_label_ms, label.time_ms.value_or(default_ms));
    }
    accepted.unknown = std::count_if(labels.begin(), labels.end(), [&](const Label& label) {
      return !known.ids.has(label.inference_id);
    });
  }
  state_->labels_written += labels.size();
  state_->labels_unknown += static_cast<std::uint64_t>(accepted.unknown);
  return accepted;
}

Result<void> Capture::State::write_labels(const LinesByDirectory& lines) {
  Result<void> first;
  for (const auto& [directory, text] : lines) {
    const auto appended = label_files->append(directory, text);
    if (first.ok()) first = appended;
  }
  const auto synced = label_files->sync();
  return first.ok() ? synced : first;
}

CaptureStats Capture::stats() const {
  CaptureStats out;
  out.rows_written = state_->rows_written;
  out.rows_dropped = state_->rows_dropped;
  out.bytes_written = state_->bytes_written;
  out.labels_written = state_->labels_written;
  out.labels_unknown = state_->labels_unknown;
  const std::lock_guard lock(state_->mutex);
  out.queue_bytes = state_->queue_bytes;
  return out;
}

}  // namespace ciclo::serve
