// SPDX-License-Identifier: Apache-2.0
#include "http/accept.h"

#include <gtest/gtest.h>

namespace ciclo::http {
namespace {

namespace errc = boost::system::errc;

TEST(Accept, what_would_fail_again_at_once_pauses) {
  for (const auto code :
       {errc::too_many_files_open, errc::too_many_files_open_in_system, errc::not_enough_memory,
        errc::no_buffer_space, errc::protocol_error, errc::network_down, errc::permission_denied}) {
    EXPECT_TRUE(pauses_accepting(errc::make_error_code(code))) << code;
  }
}

TEST(Accept, a_client_that_went_or_a_closing_server_does_not) {
  EXPECT_FALSE(pauses_accepting({}));
  EXPECT_FALSE(pauses_accepting(boost::asio::error::connection_aborted));
  EXPECT_FALSE(pauses_accepting(boost::asio::error::operation_aborted));
}

}  // namespace
}  // namespace ciclo::http
