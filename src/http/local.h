// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"
#include "http/router.h"

// Calls of a router's handlers without a socket: for tests of the protocol folders.

namespace ciclo::http {

// A body that is there already.
std::unique_ptr<Body> make_body(std::string bytes);

// Parses `target` ("/runs?max=3"), runs the handler in this thread and waits for its answer,
// whoever gives it. A streamed or sent file becomes the response's body. No route, no such method:
// as the server answers.
Response call_local(const Router& router, std::string_view method, std::string_view target,
                    std::string body = {}, Headers headers = {});

}  // namespace ciclo::http
