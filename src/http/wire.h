// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/message.h"

// Responses on the wire (RFC 9112).

namespace ciclo::http {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string http_date(std::int64_t ms);

// Whether a response with this status has a body at all (RFC 9110, 6.4.1).
bool may_have_body(int status);

// The status line, Date, Server, X-Request-Id and the handler's own fields, each line with its end,
// but not the empty line after. Fields of the framing (Content-Length, Transfer-Encoding,
// Connection) are the server's and left out; so are names that are no token; line breaks in values
// become blanks.
std::string head_text(int status, const Headers& headers, std::int64_t now_ms,
                      std::string_view request_id);

// "Name: value\r\n".
void append_field(std::string& head, std::string_view name, std::string_view value);

// One chunk of the chunked coding; nothing for no bytes, since an empty chunk ends the body.
void append_chunk(std::string& out, std::string_view bytes);

}  // namespace ciclo::http
