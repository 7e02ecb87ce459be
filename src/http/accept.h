// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

namespace ciclo::http {

// Whether a failed accept is followed by a pause. A client that went before it was accepted says
// nothing about the next one; anything else (no descriptors in the process or the system, no
// memory, a network that is down) would fail again at once, and again.
inline bool pauses_accepting(const boost::system::error_code& error) {
  return error && error != boost::asio::error::connection_aborted &&
         error != boost::asio::error::operation_aborted;
}

}  // namespace ciclo::http
