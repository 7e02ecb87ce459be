// SPDX-License-Identifier: Apache-2.0
#include "serve/capture.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/worker_pool.h"
#include "serve/capture_files.h"
#include "serve/known_ids.h"

namespace ciclo::serve {
namespace {

namespace fs = std::filesystem;

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
  writer.key("model").string(rows.model);
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
  std::mutex rows_mutex;
  std::condition_variable_any wake;
  std::optional<AppendFiles> row_files;  // guarded by rows_mutex
  bool has_unsynced = false;             // guarded by rows_mutex
  Result<void> last_append;  // guarded by rows_mutex; of an append or sync since the last flush
  // By the folder of an endpoint's days, how its appends fail at present, and what of it is not
  // logged yet: a failure is logged once until an append succeeds.
  std::map<fs::path, Code> failing;    // guarded by rows_mutex
  std::map<fs::path, Error> unlogged;  // guarded by rows_mutex
  std::mutex sync_mutex;               // one sync at a time; taken before rows_mutex

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

  std::mutex folders_mutex;
  std::set<fs::path> folders;  // guarded by folders_mutex; made durable by this process

  bool append(const fs::path& directory, const std::string& lines);
  void note_append(const fs::path& folder, const Result<void>& appended);
  Result<void> make_room(const fs::path& directory);
  Result<void> make_folder_of(const fs::path& directory);
  void forget_folder_of(const fs::path& directory);
  Result<void> sync_rows();
  Result<void> sync_labels();
  Result<void> write_labels(const LinesByDirectory& lines);
  Known& known_of(const CaptureOptions& options, const std::string& endpoint);
  void load_known(const CaptureOptions& options, const std::string& endpoint);
};

Capture::Capture(CaptureOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock), state_(std::make_unique<State>()) {
  const AppendFiles::Limits limits{options_.file_bytes_max, options_.files_open_max};
  state_->row_files.emplace(limits);
  state_->label_files.emplace(limits);
  syncer_ = std::jthread([this](std::stop_token stop) { sync_until_stopped(stop); });
}

Capture::~Capture() {
  syncer_.request_stop();
  syncer_.join();
}

bool Capture::append_rows(const CapturedRows& rows) {
  // By day of the event; nearly always one.
  std::map<std::int64_t, std::pair<std::string, std::uint64_t>> days;
  for (std::size_t row = 0; row < rows.inference_ids.size(); ++row) {
    auto& [lines, count] = days[day_start_ms(rows.event_times_ms[row])];
    write_line(lines, rows, row);
    ++count;
  }
  bool is_whole = true;
  for (const auto& [day, written] : days) {
    const auto& [lines, count] = written;
    const auto directory = options_.root / rows.endpoint / "captured" / day_name(day);
    if (state_->append(directory, lines)) {
      state_->rows_written += count;
      state_->bytes_written += lines.size();
    } else {
      state_->rows_dropped += count;
      is_whole = false;
    }
  }
  const std::lock_guard lock(state_->known_mutex);
  Known& endpoint = state_->known_of(options_, rows.endpoint);
  for (std::size_t row = 0; row < rows.inference_ids.size(); ++row) {
    endpoint.ids.add(rows.inference_ids[row]);
    raise(endpoint.newest_event_ms, rows.event_times_ms[row]);
  }
  return is_whole;
}

bool Capture::State::append(const fs::path& directory, const std::string& lines) {
  Result<void> appended = make_room(directory);
  bool is_first = false;
  {
    const std::lock_guard lock(rows_mutex);
    if (appended.ok()) appended = row_files->append(directory, lines);
    note_append(directory.parent_path(), appended);
    is_first = !std::exchange(has_unsynced, true);
  }
  if (is_first) wake.notify_one();
  if (!appended.ok()) forget_folder_of(directory);
  return appended.ok();
}

// Called under rows_mutex.
void Capture::State::note_append(const fs::path& folder, const Result<void>& appended) {
  if (appended.ok()) {
    failing.erase(folder);
    return;
  }
  last_append = appended;
  const Code code = appended.error().code;
  const auto [before, is_new] = failing.try_emplace(folder, code);
  if (is_new || std::exchange(before->second, code) != code) {
    unlogged.insert_or_assign(folder, appended.error());
  }
}

// What waits for the disk before an append is done here, without the lock that all captured
// predictions take. Threads that come out of it at once may each open one file more than the limit.
Result<void> Capture::State::make_room(const fs::path& directory) {
  bool is_full = false;
  {
    const std::lock_guard lock(rows_mutex);
    if (row_files->is_open(directory)) return {};
    is_full = row_files->is_full();
  }
  if (is_full) {
    // The rows that it is about are the kernel's already: no reason to drop those that come.
    const auto synced = sync_rows();
    if (!synced.ok()) {
      log::warn("capture cannot sync", {{"error", synced.error().message}});
      const std::lock_guard lock(rows_mutex);
      last_append = synced;
    }
  }
  return make_folder_of(directory);
}

// Days lie in ROOT/ENDPOINT/captured and ROOT/ENDPOINT/labels, which are made durable at once, so
// that the sync of a day's files makes the day durable whoever made what is above it.
Result<void> Capture::State::make_folder_of(const fs::path& directory) {
  const fs::path folder = directory.parent_path();
  {
    const std::lock_guard lock(folders_mutex);
    if (folders.contains(folder)) return {};
  }
  TRY(make_directories_durably(folder));
  const std::lock_guard lock(folders_mutex);
  folders.insert(folder);
  return {};
}

// Somebody may have removed it.
void Capture::State::forget_folder_of(const fs::path& directory) {
  const std::lock_guard lock(folders_mutex);
  folders.erase(directory.parent_path());
}

Result<void> Capture::flush() {
  const auto synced = state_->sync_rows();
  const std::lock_guard lock(state_->rows_mutex);
  const auto appended = std::exchange(state_->last_append, Result<void>());
  return appended.ok() ? synced : appended;
}

// Appending goes on while the disk works.
Result<void> Capture::State::sync_rows() {
  const std::lock_guard one_at_a_time(sync_mutex);
  Unsynced unsynced;
  {
    const std::lock_guard lock(rows_mutex);
    unsynced = row_files->take_unsynced();
    has_unsynced = false;
  }
  const auto synced = sync(unsynced);
  if (synced.ok()) return {};
  const std::lock_guard lock(rows_mutex);
  row_files->abandon();
  return synced;
}

void Capture::sync_until_stopped(std::stop_token stop) {
  set_thread_name("capture");
  while (true) {
    std::map<fs::path, Error> failures;
    {
      std::unique_lock lock(state_->rows_mutex);
      state_->wake.wait(lock, stop, [&] { return state_->has_unsynced; });
      if (!state_->has_unsynced) return;  // stopped, and all is durable
      state_->wake.wait_for(lock, stop, options_.flush_interval, [] { return false; });
      failures = std::exchange(state_->unlogged, {});
    }
    for (const auto& [folder, error] : failures) {
      log::warn("capture cannot write", {{"error", error.message}});
    }
    const auto synced = state_->sync_rows();
    if (!synced.ok()) log::warn("capture cannot sync", {{"error", synced.error().message}});
  }
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

void Capture::learn_row(const std::string& endpoint, std::string_view inference_id,
                        std::int64_t event_time_ms) {
  const std::lock_guard lock(state_->known_mutex);
  Known& known = state_->known_of(options_, endpoint);
  known.ids.add(inference_id);
  raise(known.newest_event_ms, event_time_ms);
}

void Capture::learn_label(const std::string& endpoint, std::int64_t time_ms) {
  const std::lock_guard lock(state_->known_mutex);
  raise(state_->known_of(options_, endpoint).newest_label_ms, time_ms);
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
  const auto note = [&first](const Result<void>& result) {
    if (first.ok()) first = result;
  };
  for (const auto& [directory, text] : lines) {
    if (label_files->is_full()) note(sync_labels());
    auto appended = make_folder_of(directory);
    if (appended.ok()) appended = label_files->append(directory, text);
    if (!appended.ok()) forget_folder_of(directory);
    note(appended);
  }
  note(sync_labels());
  return first;
}

Result<void> Capture::State::sync_labels() {
  const auto synced = sync(label_files->take_unsynced());
  if (!synced.ok()) label_files->abandon();
  return synced;
}

CaptureStats Capture::stats() const {
  CaptureStats out;
  out.rows_written = state_->rows_written;
  out.rows_dropped = state_->rows_dropped;
  out.bytes_written = state_->bytes_written;
  out.labels_written = state_->labels_written;
  out.labels_unknown = state_->labels_unknown;
  return out;
}

}  // namespace ciclo::serve
