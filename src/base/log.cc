// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <unistd.h>

#include <array>
#include <atomic>

#include "base/clock.h"
#include "base/text.h"

namespace ciclo::log {
namespace {

std::atomic<Level> g_level{Level::kInfo};
std::atomic<bool> g_json{::isatty(STDERR_FILENO) == 0};

constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warn", "error"};

std::string json_line(std::string_view time, std::string_view level, std::string_view message,
                      Fields fields) {
  std::string line;
  json::Writer writer(line, json::NonFinite::kString);
  writer.begin_object();
  writer.key("time").string(time).key("level").string(level).key("message").string(message);
  for (const auto& field : fields) writer.key(field.key).value(field.value);
  writer.end_object();
  return line;
}

// Text for a terminal: control characters (of ASCII and of U+0080 to U+009F) and bytes that are not
// UTF-8 stand as \\n, \\x1b, \\xff, so that a value can neither end the line nor command the
// terminal.
void append_printable(std::string& line, std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto escape = [&](std::string_view bytes) {
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      line += "\\x";
      line += kDigits[byte >> 4];
      line += kDigits[byte & 15];
    }
  };
  while (!text.empty()) {
    const std::size_t length = utf8_sequence_length(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    const auto first = static_cast<unsigned char>(character.front());
    const bool is_c1 = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    if (first == '\n') {
      line += "\\n";
    } else if (first == '\t') {
      line += "\\t";
    } else if (length == 0 || first < 0x20 || first == 0x7f || is_c1) {
      escape(character);
    } else {
      line += character;
    }
    text.remove_prefix(character.size());
  }
}

std::string text_line(std::string_view time, std::string_view level, std::string_view message,
                      Fields fields) {
  std::string line(time.substr(11, 8));
  line += " ";
  line += level;
  line.append(6 - level.size(), ' ');
  append_printable(line, message);
  for (const auto& field : fields) {
    line += "  ";
    line += field.key;
    line += "=";
    append_printable(line,
                     field.value.is_string() ? field.value.string() : json::dump(field.value));
  }
  return line;
}

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  const std::string time = format_utc(SystemClock().now_ms());
  const std::string_view name = kNames[static_cast<std::size_t>(level)];
  std::string line =
      g_json ? json_line(time, name, message, fields) : text_line(time, name, message, fields);
  line.push_back('\n');
  // One call a line: lines of several threads do not mix. A failure has nowhere to be reported.
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void debug(std::string_view message, Fields fields) { write(Level::kDebug, message, fields); }
void info(std::string_view message, Fields fields) { write(Level::kInfo, message, fields); }
void warn(std::string_view message, Fields fields) { write(Level::kWarn, message, fields); }
void error(std::string_view message, Fields fields) { write(Level::kError, message, fields); }

void configure(Level level, Format format) {
  g_level = level;
  if (format != Format::kAuto) g_json = format == Format::kJson;
}

bool enabled(Level level) { return level >= g_level.load(std::memory_order_relaxed); }

}  // namespace ciclo::log
