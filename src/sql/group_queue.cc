// SPDX-License-Identifier: Apache-2.0
#include "sql/group_queue.h"

#include <algorithm>
#include <chrono>

namespace ciclo::sql {

GroupQueue::Role GroupQueue::enter(Member& member) {
  using Part = Member::Part;
  std::unique_lock lock(mutex_);
  if (leader_ == nullptr) {
    take_lead(member);
  } else {
    waiting_.push_back(&member);
  }
  while (member.part == Part::kWaits || member.part == Part::kIsRun) {
    member.changed.wait_for(lock, std::chrono::nanoseconds(stuck_ns_));
    if (member.part == Part::kWaits && leader_is_stuck()) {
      std::erase(waiting_, &member);
      take_lead(member);
    }
  }
  if (member.part == Part::kLeads) return Role::kLead;
  return member.part == Part::kIsAlone ? Role::kAlone : Role::kEnded;
}

GroupQueue::Member* GroupQueue::next(const Member& leader) {
  const std::lock_guard lock(mutex_);
  if (leader_ != &leader) return nullptr;
  moved_ns_ = clock_.monotonic_ns();
  if (waiting_.empty()) return nullptr;
  Member* member = waiting_.front();
  waiting_.pop_front();
  member->part = Member::Part::kIsRun;
  return member;
}

void GroupQueue::end(std::span<Member* const> members) {
  const std::lock_guard lock(mutex_);
  for (Member* member : members) become(*member, Member::Part::kHasEnded);
}

void GroupQueue::refuse(Member& member) {
  const std::lock_guard lock(mutex_);
  become(member, Member::Part::kIsAlone);
}

void GroupQueue::leave(const Member& leader) {
  const std::lock_guard lock(mutex_);
  if (leader_ != &leader) return;  // succeeded before
  leader_ = nullptr;
  if (waiting_.empty()) return;
  Member* successor = waiting_.front();
  waiting_.pop_front();
  take_lead(*successor);
}

std::size_t GroupQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void GroupQueue::take_lead(Member& member) {
  leader_ = &member;
  moved_ns_ = clock_.monotonic_ns();
  become(member, Member::Part::kLeads);
}

// The thread that waits owns the member and may return as soon as the lock is free.
void GroupQueue::become(Member& member, Member::Part part) {
  member.part = part;
  member.changed.notify_one();
}

}  // namespace ciclo::sql
