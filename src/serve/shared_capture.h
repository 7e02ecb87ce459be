// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "base/random.h"
#include "base/result.h"
#include "blob/columns.h"
#include "blob/store.h"
#include "serve/capture.h"
#include "serve/store_segments.h"
#include "sql/database.h"

// What the servers of one database capture, brought together: each keeps handing the new lines of
// its files over to the others, as values of the shared store that rows of the database name, and
// takes over what the others captured, into folders beside its own files. So whoever watches an
// endpoint, or retrains from its traffic, finds the traffic of all servers below its own root, and
// a label joins the prediction that it is about, whichever servers took them.
//
// What a server had not yet handed over when it died follows when it starts again. Nothing that is
// taken over needs to survive power loss here: what is missing is taken again.

namespace ciclo::serve {

struct SharedCaptureOptions {
  // Who we are; the same after a restart, and nobody else's. Letters, digits and dashes.
  std::string server;
  std::chrono::milliseconds interval{10'000};  // between two exchanges
  // What is handed over of a file in a row grows up to this size, at the price of being stored
  // anew each time; then another is begun.
  std::uint64_t segment_bytes_min = 256 << 10;
};

// Safe to share between threads.
class SharedCapture {
 public:
  // All must outlive it.
  SharedCapture(sql::Database& database, blob::Store& blobs, Capture& capture, Random& random,
                SharedCaptureOptions options);
  ~SharedCapture();
  SharedCapture(const SharedCapture&) = delete;
  SharedCapture& operator=(const SharedCapture&) = delete;

  // Hands over what was captured here since the last time: whole lines, each once.
  // failed_precondition when another server goes by our name.
  Result<void> hand_over();
  // Takes what others have handed over since the last time. A segment that the store has lost is
  // passed over.
  Result<void> take_over();

  // Does both at each interval, and hands over once more at the end.
  void start_thread();
  void stop_thread();

 private:
  Result<void> load_handed_over();
  Result<void> hand_over_file(const store::CaptureFile& file, const std::filesystem::path& path);
  Result<void> take(const store::Segment& segment);
  Result<void> copy(const store::Segment& segment, const std::filesystem::path& path,
                    std::uint64_t have);
  void learn(const store::CaptureFile& file, std::string_view line);
  Result<void> exchange();
  void loop(const std::stop_token& stop);

  sql::Database& database_;
  blob::Store& blobs_;
  Capture& capture_;
  Random& random_;
  const SharedCaptureOptions options_;

  std::mutex handing_over_;                            // one at a time
  bool is_loaded_ = false;                             // guarded by handing_over_
  std::map<store::CaptureFile, store::Segment> last_;  // guarded by handing_over_; of our files
  std::uint64_t lines_seen_ = 0;                       // guarded by handing_over_

  std::mutex taking_over_;  // one at a time
  std::int64_t taken_ = 0;  // guarded by taking_over_; the id of the last segment

  std::condition_variable_any ended_;
  std::jthread thread_;
};

// Where the module's tables name blobs.
std::span<const blob::Column> blob_columns();

}  // namespace ciclo::serve
