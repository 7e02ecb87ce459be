// SPDX-License-Identifier: Apache-2.0
#include "sql/group_queue.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ciclo::sql {
namespace {

using Role = GroupQueue::Role;

const std::function<Result<void>(Txn&)> kNothing = [](Txn&) { return Result<void>(); };
constexpr std::int64_t kNever = std::int64_t{3'600'000'000'000};

void wait_until(const GroupQueue& queue, std::size_t waiting) {
  while (queue.waiting() < waiting) std::this_thread::yield();
}

TEST(GroupQueue, the_first_leads_and_gets_the_others_in_their_order) {
  SystemClock clock;
  GroupQueue queue(clock, kNever);
  GroupQueue::Member leader(kNothing);
  ASSERT_EQ(queue.enter(leader), Role::kLead);
  EXPECT_EQ(queue.next(leader), nullptr);
  std::vector<std::unique_ptr<GroupQueue::Member>> members;
  std::vector<Role> roles(3);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<GroupQueue::Member>(kNothing));
    threads.emplace_back([&, i] {
      roles[i] = queue.enter(*members[i]);
      if (roles[i] == Role::kLead) queue.leave(*members[i]);
    });
    wait_until(queue, i + 1);
  }
  EXPECT_EQ(queue.next(leader), members[0].get());
  EXPECT_EQ(queue.next(leader), members[1].get());
  queue.refuse(*members[1]);
  GroupQueue::Member* ended = members[0].get();
  queue.end({&ended, 1});
  queue.leave(leader);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(roles, (std::vector<Role>{Role::kEnded, Role::kAlone, Role::kLead}));
  GroupQueue::Member later(kNothing);
  EXPECT_EQ(queue.enter(later), Role::kLead) << "nobody is left";
}

TEST(GroupQueue, a_stuck_leader_is_succeeded_and_gets_no_more) {
  SystemClock clock;
  GroupQueue queue(clock, 1'000'000);
  GroupQueue::Member stuck(kNothing);
  GroupQueue::Member successor(kNothing);
  ASSERT_EQ(queue.enter(stuck), Role::kLead);
  ASSERT_EQ(queue.enter(successor), Role::kLead) << "after a millisecond";
  std::thread third([&] {
    GroupQueue::Member member(kNothing);
    // Given to the successor, or it succeeds in its turn: never to the one that is stuck.
    const Role role = queue.enter(member);
    if (role == Role::kLead) queue.leave(member);
  });
  GroupQueue::Member* given = nullptr;
  EXPECT_EQ(queue.next(stuck), nullptr);
  queue.leave(stuck);
  given = queue.next(successor);
  if (given != nullptr) queue.end({&given, 1});
  queue.leave(successor);
  third.join();
}

}  // namespace
}  // namespace ciclo::sql
