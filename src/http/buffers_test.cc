// SPDX-License-Identifier: Apache-2.0
#include "http/buffers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/file.h"

namespace ciclo::http {
namespace {

void receive(InputBuffer& input, std::string_view bytes) {
  const auto room = input.make_room(8, 64);
  ASSERT_GE(room.bytes, bytes.size());
  std::memcpy(room.place, bytes.data(), bytes.size());
  input.received(bytes.size());
}

TEST(InputBuffer, keeps_what_is_held_while_it_moves_and_grows) {
  InputBuffer input;
  receive(input, "01234567");
  receive(input, "89");
  EXPECT_EQ(input.view(), "0123456789");
  input.consume(4);
  EXPECT_EQ(input.view(), "456789");
  while (input.view().size() < 64) receive(input, "x");
  EXPECT_EQ(input.make_room(8, 64).bytes, 0U);
  EXPECT_TRUE(input.view().starts_with("456789x"));
  input.clear();
  EXPECT_EQ(input.make_room(8, 64).bytes, 8U);
}

class OutputQueueTest : public testing::Test {
 protected:
  OutputQueueTest() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
    path_ = directory_.path() / "file";
    EXPECT_TRUE(write_file_durably(path_, "0123456789").ok());
  }
  ~OutputQueueTest() override {
    for (const int socket : sockets_) ::close(socket);
  }

  std::shared_ptr<OpenFile> open() const {
    return std::make_shared<OpenFile>(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  }
  std::string received() const {
    std::array<char, 256> buffer{};
    const auto got = ::recv(sockets_[1], buffer.data(), buffer.size(), 0);
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
  }
  OutputQueue::Sent send_all() {
    auto last = OutputQueue::Sent::kSome;
    std::size_t sent = 0;
    while (!queue_.empty() && last == OutputQueue::Sent::kSome)
      last = queue_.send(sockets_[0], sent);
    return last;
  }

  TemporaryDirectory directory_;
  std::string path_;
  std::array<int, 2> sockets_{};
  OutputQueue queue_;
};

TEST_F(OutputQueueTest, bytes_and_files_go_out_in_order) {
  queue_.push("a");
  queue_.push("");
  queue_.push("b");
  queue_.push_file(open(), 2, 3);
  queue_.push("c");
  EXPECT_EQ(queue_.bytes_in_memory(), 3U);
  EXPECT_EQ(send_all(), OutputQueue::Sent::kSome);
  EXPECT_EQ(received(), "ab234c");
  EXPECT_EQ(queue_.bytes_in_memory(), 0U);
}

TEST_F(OutputQueueTest, a_full_socket_blocks_and_goes_on) {
  const std::string large(4 << 20, 'x');
  queue_.push(large);
  EXPECT_EQ(send_all(), OutputQueue::Sent::kBlocked);
  std::size_t total = 0;
  while (total < large.size()) {
    total += received().size();
    send_all();
  }
  EXPECT_EQ(total, large.size());
  EXPECT_TRUE(queue_.empty());
}

TEST_F(OutputQueueTest, a_file_that_became_shorter_fails) {
  queue_.push_file(open(), 0, 10);
  ASSERT_EQ(::truncate(path_.c_str(), 4), 0);
  EXPECT_EQ(send_all(), OutputQueue::Sent::kFailed);
  EXPECT_EQ(received(), "0123");
}

TEST_F(OutputQueueTest, pieces_can_be_taken_instead_of_sent) {
  queue_.push("a");
  queue_.push_file(open(), 4, 6);
  std::string piece;
  ASSERT_TRUE(queue_.take(piece));
  EXPECT_EQ(piece, "a");
  ASSERT_TRUE(queue_.take(piece));
  EXPECT_EQ(piece, "456789");
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace ciclo::http
