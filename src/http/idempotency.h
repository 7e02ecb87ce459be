// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"
#include "http/message.h"

// The header Idempotency-Key, under which a client may send a request again when it got no answer
// (draft-ietf-httpapi-idempotency-key-header). Here it is only read and answered to; what is done
// once because of it is the matter of who writes (Context::keyed).

namespace ciclo::http {

// Puts the request's key, when it has one, into its context. For a request whose body is there as a
// whole. Methods that change nothing have no use for a key. invalid_argument for a key that is not
// 1 to 255 visible ASCII characters, or two of them.
Result<void> read_idempotency_key(Request& request, std::int64_t now_ms);

// Adds Idempotent-Replayed to the answer to a request whose work an earlier attempt had done.
void mark_replay(const Context& context, Response& response);

}  // namespace ciclo::http
