// SPDX-License-Identifier: Apache-2.0
#include "serve/shared_capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "base/worker_pool.h"
#include "serve/capture_files.h"
#include "serve/capture_lines.h"

namespace ciclo::serve {
namespace {

namespace fs = std::filesystem;

constexpr int kSegmentsAtOnce = 200;
// Before a segment's lines stands a line that no other value has, so that a segment which was
// replaced can be removed from the store: nobody else can have stored the same bytes.
constexpr std::size_t kMarkDigits = 32;
constexpr std::size_t kMarkBytes = kMarkDigits + 1;

std::string mark_from(Random& random) {
  std::array<char, kMarkBytes + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx\n",
                static_cast<unsigned long long>(random.next()),
                static_cast<unsigned long long>(random.next()));
  return {text.data(), kMarkBytes};
}

// Calls `on_file` for each file that this server captured into. One that fails keeps no other from
// being visited; the first error is returned.
Result<void> visit_own_files(
    const fs::path& root,
    const std::function<Result<void>(const store::CaptureFile&, const fs::path&)>& on_file) {
  Result<void> first;
  std::error_code error;
  for (auto entry = fs::directory_iterator(root, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string endpoint = entry->path().filename().string();
    for (const auto folder : {kCapturedFolder, kLabelsFolder}) {
      const auto days =
          folder == kCapturedFolder ? captured_days(root, endpoint) : label_days(root, endpoint);
      for (const std::int64_t day : days) {
        for (const auto& path : numbered_files(entry->path() / folder / day_name(day))) {
          const auto number = parse_int(path.stem().string()).value_or(0);
          auto done = on_file({endpoint, std::string(folder), day_name(day), number}, path);
          if (first.ok()) first = std::move(done);
        }
      }
    }
  }
  return first;
}

// Copies what stands after byte `from` up to the last newline; gives the byte after that.
Result<std::uint64_t> copy_lines(const fs::path& path, std::uint64_t from, blob::Writer& to) {
  std::uint64_t at = 0;
  std::uint64_t end = from;
  std::string rest;  // after the last newline
  TRY(read_file_in_pieces(path, [&](std::string_view piece) -> Result<void> {
    const std::uint64_t skipped = std::min<std::uint64_t>(piece.size(), from - std::min(from, at));
    at += piece.size();
    piece.remove_prefix(skipped);
    const std::size_t newline = piece.rfind('\n');
    if (newline == std::string_view::npos) {
      rest += piece;
      return {};
    }
    TRY(to.write(rest));
    TRY(to.write(piece.substr(0, newline + 1)));
    end += rest.size() + newline + 1;
    rest = piece.substr(newline + 1);
    return {};
  }));
  return end;
}

// What a row says becomes part of a path.
bool is_name(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.find('/') == std::string_view::npos &&
         text.find('\0') == std::string_view::npos;
}

bool is_sane(const store::Segment& segment) {
  const store::CaptureFile& file = segment.file;
  return is_name(segment.server) && is_name(file.endpoint) && is_name(file.day) &&
         (file.kind == kCapturedFolder || file.kind == kLabelsFolder) && file.number >= 0 &&
         segment.from < segment.to;
}

fs::path path_of(const fs::path& root, const store::Segment& segment) {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "%06lld-%012llu.jsonl",
                static_cast<long long>(segment.file.number),
                static_cast<unsigned long long>(segment.from));
  return root / segment.file.endpoint / segment.file.kind / segment.file.day / segment.server /
         name.data();
}

// A file that is appended to, and cut back to where it ended unless that is kept.
class Appended {
 public:
  static Result<Appended> open(const fs::path& path, std::uint64_t size) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (descriptor < 0) return file_error("open", path, errno);
    return Appended(path, descriptor, size);
  }
  Appended(Appended&& other) noexcept
      : path_(std::move(other.path_)),
        descriptor_(std::exchange(other.descriptor_, -1)),
        size_(other.size_) {}
  Appended& operator=(Appended&&) = delete;
  ~Appended() {
    if (descriptor_ < 0) return;
    if (!is_kept_ && ::ftruncate(descriptor_, static_cast<off_t>(size_)) != 0) {
      log::warn("a segment that was not taken over whole could not be cut back",
                {{"file", path_.string()}});
    }
    ::close(descriptor_);
  }
  Result<void> append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return file_error("write", path_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }
  void keep() { is_kept_ = true; }

 private:
  Appended(fs::path path, int descriptor, std::uint64_t size)
      : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

  fs::path path_;
  int descriptor_;
  std::uint64_t size_;
  bool is_kept_ = false;
};

}  // namespace

std::span<const blob::Column> blob_columns() {
  static constexpr blob::Column kColumns[] = {{"capture_segments", "hash"}};
  return kColumns;
}

SharedCapture::SharedCapture(sql::Database& database, blob::Store& blobs, Capture& capture,
                             Random& random, SharedCaptureOptions options)
    : database_(database),
      blobs_(blobs),
      capture_(capture),
      random_(random),
      options_(std::move(options)) {}

SharedCapture::~SharedCapture() { stop_thread(); }

// --- What was captured here
// -----------------------------------------------------------------------

Result<void> SharedCapture::hand_over() {
  const std::scoped_lock lock(handing_over_);
  const CaptureStats stats = capture_.stats();
  const std::uint64_t lines = stats.rows_written + stats.labels_written;
  if (is_loaded_ && lines == lines_seen_) return {};
  TRY(load_handed_over());
  TRY(visit_own_files(capture_.root(), [&](const store::CaptureFile& file, const fs::path& path) {
    return hand_over_file(file, path);
  }));
  lines_seen_ = lines;
  return {};
}

// What this server handed over before it was started.
Result<void> SharedCapture::load_handed_over() {
  if (is_loaded_) return {};
  TRY(auto all, database_.view([&](sql::Reader& reader) {
    return store::last_segments(reader, options_.server);
  }));
  last_.clear();
  for (auto& segment : all) last_.insert_or_assign(segment.file, segment);
  is_loaded_ = true;
  return {};
}

// The value first, then its name. What a crash leaves in between is a value without a name, which
// is collected as any other.
Result<void> SharedCapture::hand_over_file(const store::CaptureFile& file, const fs::path& path) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  const auto known = last_.find(file);
  const store::Segment before = known == last_.end() ? store::Segment() : known->second;
  if (error || size <= before.to) return {};
  const bool grows = before.id != 0 && before.bytes() < options_.segment_bytes_min;
  store::Segment segment{.server = options_.server, .file = file};
  segment.from = grows ? before.from : before.to;
  TRY(const auto writer, blobs_.create());
  TRY(writer->write(mark_from(random_)));
  TRY(segment.to, copy_lines(path, segment.from, *writer));
  if (segment.to <= before.to) return {};
  TRY(const auto stored, writer->commit());
  segment.hash = stored.hash;
  const auto added = database_.transact([&](sql::Txn& txn) -> Result<std::int64_t> {
    return store::add_segment(txn, segment, grows ? before.id : 0);
  });
  // The answer of the database may have been lost: what it holds is asked for again.
  if (!added.ok()) is_loaded_ = false;
  if (!added.ok()) return added.error();
  segment.id = *added;
  last_.insert_or_assign(file, segment);
  if (!grows) return {};
  if (const auto removed = blobs_.remove(before.hash); !removed.ok()) {
    log::warn("a replaced segment of captured rows is left to the next collection",
              {{"blob", before.hash}, {"error", removed.error().message}});
  }
  return {};
}

// --- What others captured
// -------------------------------------------------------------------------

Result<void> SharedCapture::take_over() {
  const std::scoped_lock lock(taking_over_);
  while (true) {
    TRY(const auto segments, database_.view([&](sql::Reader& reader) {
      return store::segments_of_others(reader, options_.server, taken_, kSegmentsAtOnce);
    }));
    for (const auto& segment : segments) {
      TRY(take(segment));
      taken_ = segment.id;
    }
    if (segments.size() < kSegmentsAtOnce) return {};
  }
}

Result<void> SharedCapture::take(const store::Segment& segment) {
  if (!is_sane(segment)) return {};
  const fs::path path = path_of(capture_.root(), segment);
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  const std::uint64_t have = error ? 0 : size;
  if (have >= segment.bytes()) return {};
  fs::create_directories(path.parent_path(), error);
  if (error) return file_error("make directory", path.parent_path(), error.value());
  const auto copied = copy(segment, path, have);
  if (copied.ok()) return {};
  const Code code = copied.error().code;
  if (code != Code::kNotFound && code != Code::kDataLoss) return copied;
  // Replaced by a longer one since it was listed, which comes later in the list.
  TRY(const bool is_there,
      database_.view([&](sql::Reader& reader) { return store::has_segment(reader, segment.id); }));
  if (is_there) {
    log::error("what another server captured is lost", {{"server", segment.server},
                                                        {"endpoint", segment.file.endpoint},
                                                        {"day", segment.file.day},
                                                        {"error", copied.error().message}});
  }
  return {};
}

// The whole value is read, so that it is checked against its hash, and what is here already is left
// out.
Result<void> SharedCapture::copy(const store::Segment& segment, const fs::path& path,
                                 std::uint64_t have) {
  TRY(auto file, Appended::open(path, have));
  std::uint64_t left_out = kMarkBytes + have;
  LineCutter lines;
  TRY(blobs_.read(segment.hash, 0, kMarkBytes + segment.bytes(),
                  [&](std::string_view piece) -> Result<void> {
                    const auto skipped = std::min<std::uint64_t>(piece.size(), left_out);
                    left_out -= skipped;
                    piece.remove_prefix(skipped);
                    TRY(file.append(piece));
                    return lines.cut(piece, [&](std::string_view line) -> Result<void> {
                      learn(segment.file, line);
                      return {};
                    });
                  }));
  file.keep();
  return {};
}

void SharedCapture::learn(const store::CaptureFile& file, std::string_view line) {
  read_line(file.kind, line, [&](json::View, std::string_view id, std::int64_t time_ms) {
    if (file.kind == kCapturedFolder) {
      capture_.learn_row(file.endpoint, id, time_ms);
    } else {
      capture_.learn_label(file.endpoint, time_ms);
    }
  });
}

// --- The thread
// -----------------------------------------------------------------------------------

Result<void> SharedCapture::exchange() {
  const auto handed = hand_over();
  const auto taken = take_over();
  return handed.ok() ? taken : handed;
}

void SharedCapture::start_thread() {
  thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

void SharedCapture::stop_thread() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void SharedCapture::loop(const std::stop_token& stop) {
  set_thread_name("capture-share");
  std::string trouble;
  while (true) {
    const auto done = exchange();
    const std::string now = done.ok() ? std::string() : done.error().message;
    if (!now.empty() && now != trouble) {
      log::warn("captured rows are not shared with other servers", {{"error", now}});
    }
    trouble = now;
    std::mutex never;
    std::unique_lock lock(never);
    ended_.wait_for(lock, stop, options_.interval, [] { return false; });
    if (stop.stop_requested()) break;
  }
  // What cannot be handed over now is when this server starts again.
  if (!trouble.empty()) return;
  if (const auto last = hand_over(); !last.ok()) {
    log::warn("the last captured rows are not shared", {{"error", last.error().message}});
  }
}

}  // namespace ciclo::serve
