// SPDX-License-Identifier: Apache-2.0
#include "sql/postgres.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "sql/body.h"
#include "sql/group_queue.h"
#include "sql/pool.h"
#include "sql/postgres_connection.h"

namespace ciclo::sql {
namespace {

constexpr const char* kBeginWriting = "BEGIN ISOLATION LEVEL SERIALIZABLE";

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(PostgresOptions options)
      : options_(std::move(options)),
        pool_(options_.connections_max, [this] { return PostgresConnection::open(options_); }) {}

  // Connects once, so that a wrong URL or password is an error of opening.
  Result<void> check() {
    TRY(const auto connection, pool_.take());
    return {};
  }

  Engine engine() const override { return Engine::kPostgres; }
  Stats stats() const override;
  Result<void> transaction(const std::function<Result<void>(Txn&)>& body) override;
  Result<void> read(const std::function<Result<void>(Reader&)>& body) override;

 private:
  using Lease = Pool<PostgresConnection>::Lease;
  using Body = std::function<Result<void>(Txn&)>;
  using Member = GroupQueue::Member;
  enum class Verdict { kFinal, kAgain };
  struct Attempt {
    Result<void> result;
    Verdict verdict = Verdict::kFinal;
  };

  // The transaction of one body.
  Result<void> run_alone(const Body& body);
  Attempt attempt_alone(const Body& body);

  // The transaction of a leader and of those that come while it runs; all have their result then.
  void lead(Member& leader);
  struct Group {
    Member& leader;
    std::vector<Member*> members;  // the leader's, too
    bool is_open = true;           // takes those that come
    bool is_careful = false;       // waits for the outcome of all that a body has written
    bool leader_is_alone = false;  // it spoilt the group, and has to be run by itself
  };
  Attempt attempt_group(Group& group);
  enum class Outcome { kRan, kMet, kSpoilt };
  Outcome run_member(Member& member, PostgresConnection& connection, bool is_careful);
  bool grow(Group& group, std::int64_t started_ns);
  void leave_out(Group& group, Member& member);
  void share(const Group& group, const Result<void>& result);

  // What became of the writes that nobody has waited for; nullopt when all is well.
  std::optional<Attempt> settle(Lease& connection);
  Attempt commit(Lease& connection);
  static Attempt not_begun(const Error& error);
  static Error met_others(int attempts, const Error& last);
  // A connection in a new transaction. Replaces connections that a restart of the server has cut.
  Result<Lease> begin(const std::string& statement);
  void roll_back(Lease& connection);
  void pause(int attempts);

  // NOLINTNEXTLINE(readability-identifier-naming): a member, not a global
  static inline thread_local const PostgresDatabase* transaction_of_this_thread = nullptr;

  const PostgresOptions options_;
  SystemClock clock_;
  GroupQueue groups_{clock_, options_.stuck_ms* std::int64_t{1'000'000}};
  Pool<PostgresConnection> pool_;
  SystemRandom random_;
  std::atomic<std::uint64_t> transactions_{0};
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> retries_{0};
};

Result<void> PostgresDatabase::transaction(const Body& body) {
  const bool starts_outside_of_a_transaction = transaction_of_this_thread != this;
  CHECK(starts_outside_of_a_transaction);
  if (options_.is_read_only) {
    return failed_precondition("database " + redact_url(options_.url) +
                               " was opened for reading only");
  }
  transactions_ += 1;
  Member member(body);
  switch (groups_.enter(member)) {
    case GroupQueue::Role::kLead: lead(member); break;
    case GroupQueue::Role::kAlone: return run_alone(body);
    case GroupQueue::Role::kEnded: break;
  }
  return std::move(member.result);
}

// Runs a body as part of the transaction of `connection`.
PostgresDatabase::Outcome PostgresDatabase::run_member(Member& member,
                                                       PostgresConnection& connection,
                                                       bool is_careful) {
  const auto* outer = std::exchange(transaction_of_this_thread, this);
  member.result = run_body<Txn>(member.body, connection);
  transaction_of_this_thread = outer;
  // A failure is taken below.
  if (is_careful) static_cast<void>(connection.settle());
  const bool wrote = connection.take_wrote();
  const auto failure = connection.take_failure();
  if (!failure) return !member.result.ok() && wrote ? Outcome::kSpoilt : Outcome::kRan;
  const bool has_met = connection.is_lost() || failure->code == Code::kConflict;
  // What the body made of a conflict does not count: it will be run again.
  if (has_met || member.result.ok()) member.result = *failure;
  return has_met ? Outcome::kMet : Outcome::kSpoilt;
}

Result<void> PostgresDatabase::run_alone(const Body& body) {
  for (int attempts = 1;; ++attempts) {
    auto attempted = attempt_alone(body);
    if (attempted.verdict == Verdict::kFinal) return std::move(attempted.result);
    if (attempts >= options_.attempts_max) return met_others(attempts, attempted.result.error());
    retries_ += 1;
    pause(attempts);
  }
}

PostgresDatabase::Attempt PostgresDatabase::attempt_alone(const Body& body) {
  auto begun = begin(kBeginWriting);
  if (!begun.ok()) return not_begun(begun.error());
  Lease connection = std::move(begun).value();
  Member member(body);
  const Outcome outcome = run_member(member, *connection, false);
  if (outcome == Outcome::kRan && member.result.ok()) {
    if (auto failed = settle(connection)) return *std::move(failed);
    return commit(connection);
  }
  roll_back(connection);
  return {member.result, outcome == Outcome::kMet ? Verdict::kAgain : Verdict::kFinal};
}

void PostgresDatabase::lead(Member& leader) {
  Group group{.leader = leader, .members = {&leader}};
  for (int attempts = 1; !group.members.empty(); ++attempts) {
    for (Member* member : group.members) member->result = {};
    const auto attempted = attempt_group(group);
    if (attempted.verdict == Verdict::kFinal) {
      share(group, attempted.result);
      break;
    }
    group.is_open = false;
    if (attempted.result.ok()) continue;  // one was left out
    if (attempts >= options_.attempts_max) {
      for (Member* member : group.members)
        member->result = met_others(attempts, attempted.result.error());
      break;
    }
    retries_ += 1;
    pause(attempts);
  }
  groups_.end(group.members);
  groups_.leave(leader);
  if (group.leader_is_alone) leader.result = run_alone(leader.body);
}

// Bodies run one after the other in one transaction. One that fails and has written nothing is
// answered; one that has written, or whose statement failed, is left out, and the others run again.
// Where it is not known whose statement failed, since nobody waited for it, all run again
// carefully.
PostgresDatabase::Attempt PostgresDatabase::attempt_group(Group& group) {
  auto begun = begin(kBeginWriting);
  if (!begun.ok()) return not_begun(begun.error());
  Lease connection = std::move(begun).value();
  const std::int64_t started_ns = clock_.monotonic_ns();
  for (std::size_t i = 0; i < group.members.size() || grow(group, started_ns); ++i) {
    Member& member = *group.members[i];
    const bool is_certain = !connection->has_sent();
    const Outcome outcome = run_member(member, *connection, group.is_careful);
    if (outcome == Outcome::kRan) continue;
    roll_back(connection);
    if (outcome == Outcome::kMet) return {member.result, Verdict::kAgain};
    if (group.members.size() == 1) return {{}, Verdict::kFinal};
    if (is_certain) {
      leave_out(group, member);
    } else {
      group.is_careful = true;
    }
    return {{}, Verdict::kAgain};
  }
  auto failed = settle(connection);
  if (!failed) return commit(connection);
  if (failed->verdict == Verdict::kAgain || group.members.size() == 1) return *std::move(failed);
  group.is_careful = true;
  return {{}, Verdict::kAgain};
}

std::optional<PostgresDatabase::Attempt> PostgresDatabase::settle(Lease& connection) {
  auto settled = connection->settle();
  if (settled.ok()) return std::nullopt;
  static_cast<void>(connection->take_failure());
  const bool has_met = connection->is_lost() || settled.error().code == Code::kConflict;
  roll_back(connection);
  return Attempt{std::move(settled), has_met ? Verdict::kAgain : Verdict::kFinal};
}

// Takes one that has come meanwhile, within the limits.
bool PostgresDatabase::grow(Group& group, std::int64_t started_ns) {
  const std::int64_t elapsed_ms = (clock_.monotonic_ns() - started_ns) / 1'000'000;
  if (!group.is_open || group.members.size() >= options_.group_max) return false;
  if (elapsed_ms >= options_.group_ms_max) return false;
  Member* member = groups_.next(group.leader);
  if (member != nullptr) group.members.push_back(member);
  return member != nullptr;
}

void PostgresDatabase::leave_out(Group& group, Member& member) {
  std::erase(group.members, &member);
  if (&member == &group.leader) {
    group.leader_is_alone = true;
  } else {
    groups_.refuse(member);
  }
}

// A failure of the whole is one of each that had not failed before.
void PostgresDatabase::share(const Group& group, const Result<void>& result) {
  if (result.ok()) return;
  for (Member* member : group.members) {
    if (member->result.ok()) member->result = result;
  }
}

PostgresDatabase::Attempt PostgresDatabase::not_begun(const Error& error) {
  return {error, error.code == Code::kUnavailable ? Verdict::kAgain : Verdict::kFinal};
}

// Not a conflict: that would tell the caller that its own expectation was wrong.
Error PostgresDatabase::met_others(int attempts, const Error& last) {
  return {Code::kUnavailable, "the transaction met others at each of " + std::to_string(attempts) +
                                  " attempts: " + last.message};
}

PostgresDatabase::Attempt PostgresDatabase::commit(Lease& connection) {
  const auto committed = connection->run("COMMIT");
  if (committed.ok()) {
    commits_ += 1;
    return {};
  }
  if (connection->is_lost()) {
    connection.discard();
    return {unavailable("the connection to the database was lost during a commit; it is not known "
                        "whether it took place"),
            Verdict::kFinal};
  }
  roll_back(connection);
  const bool is_conflict = committed.error().code == Code::kConflict;
  return {committed, is_conflict ? Verdict::kAgain : Verdict::kFinal};
}

// The body of a read may have taken rows already, so it is not run again when its connection
// breaks.
Result<void> PostgresDatabase::read(const std::function<Result<void>(Reader&)>& body) {
  constexpr const char* kBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
  auto begun = begin(kBegin);
  for (int attempts = 1; !begun.ok(); ++attempts) {
    if (begun.error().code != Code::kUnavailable) return begun.error();
    if (attempts >= options_.attempts_max) return begun.error();
    pause(attempts);
    begun = begin(kBegin);
  }
  Lease connection = std::move(begun).value();
  auto result = run_body<Reader>(body, *connection);
  const auto failure = connection->take_failure();
  roll_back(connection);
  if (result.ok() && failure) return *failure;
  return result;
}

Result<PostgresDatabase::Lease> PostgresDatabase::begin(const std::string& statement) {
  TRY(auto connection, pool_.take());
  const auto begun = connection->run(statement);
  if (begun.ok()) return connection;
  connection.discard();
  pool_.clear();
  return unavailable(begun.error().message);
}

void PostgresDatabase::roll_back(Lease& connection) {
  if (connection->is_lost() || !connection->rollback().ok()) connection.discard();
}

// Grows to 64 ms; a random part of it, so that two that met do not meet again.
void PostgresDatabase::pause(int attempts) {
  const std::uint64_t longest_us = 1000ULL << std::min(attempts - 1, 6);
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::chrono::microseconds(longest_us / 4 + random_.below(longest_us)));
}

Stats PostgresDatabase::stats() const {
  Stats stats;
  stats.transactions = transactions_;
  stats.commits = commits_;
  stats.retries = retries_;
  stats.connections = pool_.size();
  stats.waiting = groups_.waiting();
  return stats;
}

}  // namespace

Result<std::unique_ptr<Database>> open_postgres(PostgresOptions options) {
  auto database = std::make_unique<PostgresDatabase>(std::move(options));
  TRY(database->check());
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace ciclo::sql
