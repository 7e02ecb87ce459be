// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>

#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"

// Group commit without a thread of its own: of the transactions that come at once, the first leads,
// and runs those that come meanwhile within its own, so that all of them share one commit.

namespace ciclo::sql {

// Safe to share between threads.
class GroupQueue {
 public:
  // A transaction, on the stack of the thread that wants it.
  struct Member {
    explicit Member(const std::function<Result<void>(Txn&)>& wanted) : body(wanted) {}

    const std::function<Result<void>(Txn&)>& body;
    Result<void> result;  // written by the leader, read by its own thread once it has ended

   private:
    friend class GroupQueue;
    enum class Part { kWaits, kIsRun, kLeads, kIsAlone, kHasEnded };
    Part part = Part::kWaits;         // guarded by mutex_
    std::condition_variable changed;  // of `part`
  };

  // What a thread has to do with its member.
  enum class Role {
    kLead,   // run it with those that `next` gives, then call end or refuse, and leave
    kAlone,  // run it by itself
    kEnded,  // nothing: `result` is there
  };

  // A leader that has been at one member for longer than `stuck_ns` is succeeded by one of those
  // that wait: a long transaction does not hold up the others. The clock must outlive the queue.
  GroupQueue(Clock& clock, std::int64_t stuck_ns) : clock_(clock), stuck_ns_(stuck_ns) {}

  // Waits until the member has a role.
  Role enter(Member& member);

  // The member that came first, to be run by the leader; nullptr: none waits, or the leader has
  // been succeeded.
  Member* next(const Member& leader);
  // Members have their result.
  void end(std::span<Member* const> members);
  // A member must be run by itself.
  void refuse(Member& member);
  // The leader's group is over; another one leads.
  void leave(const Member& leader);

  std::size_t waiting() const;

 private:
  bool leader_is_stuck() const { return clock_.monotonic_ns() - moved_ns_ > stuck_ns_; }
  void take_lead(Member& member);
  void become(Member& member, Member::Part part);

  Clock& clock_;
  const std::int64_t stuck_ns_;
  mutable std::mutex mutex_;
  std::deque<Member*> waiting_;  // guarded by mutex_
  const Member* leader_ =
      nullptr;                 // guarded by mutex_; the newest, the only one that is given more
  std::int64_t moved_ns_ = 0;  // guarded by mutex_; when it came to its present member
};

}  // namespace ciclo::sql
