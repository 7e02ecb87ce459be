// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "base/random.h"
#include "sql/database.h"

namespace ciclo::sim {

struct Faults {
  double before = 0;  // a transaction fails before it does anything
  double undone = 0;  // it does its work, which is then undone
  double lost = 0;    // it commits, but the answer says unavailable
  double read = 0;    // a read fails
  double crash = 0;   // the process dies, before or after the commit
};

// A database as seen by one process, which may fail and may make the process die: after `is_dead`
// nothing reaches the real one any more.
class FaultyDatabase final : public sql::Database {
 public:
  FaultyDatabase(sql::Database& real, Random& random, Faults faults)
      : real_(real), random_(random), faults_(faults) {}

  bool is_dead() const { return dead_; }
  void die() { dead_ = true; }
  void heal() { faults_ = Faults(); }

  sql::Engine engine() const override { return real_.engine(); }
  sql::Stats stats() const override { return real_.stats(); }

  Result<void> transaction(const std::function<Result<void>(sql::Txn&)>& body) override {
    if (dead_) return unavailable("simulated: the process is dead");
    const double dice = random_.uniform();
    double edge = faults_.before;
    if (dice < edge) return unavailable("simulated: the database does not answer");
    if (dice < (edge += faults_.undone)) return undo(body);
    if (dice < (edge += faults_.lost)) {
      TRY(real_.transaction(body));
      return unavailable("simulated: the answer was lost");
    }
    if (dice < (edge += faults_.crash)) return crash(body);
    return real_.transaction(body);
  }

  Result<void> read(const std::function<Result<void>(sql::Reader&)>& body) override {
    if (dead_) return unavailable("simulated: the process is dead");
    if (random_.uniform() < faults_.read) return unavailable("simulated: the read failed");
    return real_.read(body);
  }

 private:
  Result<void> undo(const std::function<Result<void>(sql::Txn&)>& body) {
    return real_.transaction([&](sql::Txn& txn) -> Result<void> {
      TRY(body(txn));
      return unavailable("simulated: the commit failed");
    });
  }

  Result<void> crash(const std::function<Result<void>(sql::Txn&)>& body) {
    dead_ = true;
    if (random_.below(2) == 0) TRY(real_.transaction(body));
    return unavailable("simulated: the process died");
  }

  sql::Database& real_;
  Random& random_;
  Faults faults_;
  bool dead_ = false;
};

}  // namespace ciclo::sim
