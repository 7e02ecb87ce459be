// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace ciclo::api::ui {

// A file of ui/dist, carried by the program.
struct EmbeddedFile {
  std::string_view path;  // "/assets/index-BmI9dhXw.js"
  std::string_view content_type;
  std::string_view tag;  // of the content: 16 hexadecimal digits
  std::string_view content;
  std::string_view gzip;  // the same, compressed; empty where that gains nothing
};

// Defined by what tools/embed.py generates. Empty when the pages were not built.
std::span<const EmbeddedFile> files();

}  // namespace ciclo::api::ui
