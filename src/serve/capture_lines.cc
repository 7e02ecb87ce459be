// SPDX-License-Identifier: Apache-2.0
#include "serve/capture_lines.h"

namespace ciclo::serve {
namespace {

constexpr std::size_t kLineBytesMax = 32 << 20;

}  // namespace

Result<void> LineCutter::cut(std::string_view piece, const OnLine& on_line) {
  for (std::size_t end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
    const std::string_view line = piece.substr(0, end);
    piece.remove_prefix(end + 1);
    if (is_skipping_) {
      is_skipping_ = false;
    } else if (rest_.empty()) {
      TRY(on_line(line));
    } else {
      rest_ += line;
      TRY(on_line(rest_));
    }
    rest_.clear();
  }
  if (!is_skipping_) rest_ += piece;
  if (rest_.size() > kLineBytesMax) {
    ++passed_over_;
    is_skipping_ = true;
    rest_.clear();
  }
  return {};
}

bool read_line(std::string_view folder, std::string_view line,
               const std::function<void(json::View root, std::string_view inference_id,
                                        std::int64_t time_ms)>& on_row) {
  const auto document = json::Document::parse(line);
  if (!document.ok() || !document->root().is_object()) return false;
  const json::View root = document->root();
  const json::View id = root.find("inference_id");
  const json::View time = root.find(folder == kCapturedFolder ? "event_time_ms" : "time_ms");
  if (!id.has_value() || !id.is_string() || !time.has_value() || !time.is_int()) return false;
  on_row(root, id.string(), time.integer());
  return true;
}

}  // namespace ciclo::serve
