// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace ciclo::client {

// Tells a child of fork from the process that made the mark, at the cost of reading one word: the
// mark lies in a page that the kernel clears in children (MADV_WIPEONFORK, Linux 4.14).
class ForkMark {
 public:
  // failed_precondition where the kernel knows no such pages.
  static Result<ForkMark> make();
  ForkMark(ForkMark&& other) noexcept;
  ForkMark& operator=(ForkMark&&) = delete;
  ~ForkMark();

  bool is_of_parent() const { return *word_ == 0; }

 private:
  explicit ForkMark(int* word) : word_(word) {}

  int* word_;  // the first of its page; nullptr once moved from
};

}  // namespace ciclo::client
