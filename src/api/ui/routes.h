// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "api/ui/files.h"
#include "http/router.h"

// The web pages, out of the program itself: "/" and each file by its path, compressed where the
// client takes gzip, with an ETag. What lies in /assets has a name that changes with its content,
// so it may be kept for ever; all else is asked for again. A browser that opens a page's path
// without its "#" is sent to "/#/…".

namespace ciclo::api::ui {

// The files must outlive the router; those of files() do.
void add_routes(http::Router& router, std::span<const EmbeddedFile> served = files());

}  // namespace ciclo::api::ui
