// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.h"

// Structured logging to standard error: lines for people when it is a terminal, one JSON object a
// line otherwise. Never log a secret. Safe to call from any thread.
//
//   log::info("model loaded", {{"model", name}, {"ms", elapsed_ms}});

namespace ciclo::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };
enum class Format { kAuto, kText, kJson };

struct Field {
  std::string_view key;
  json::Value value;
};
using Fields = std::initializer_list<Field>;

void debug(std::string_view message, Fields fields = {});
void info(std::string_view message, Fields fields = {});
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});

// Set once at start; the default is info and automatic.
void configure(Level level, Format format);
bool enabled(Level level);

}  // namespace ciclo::log
