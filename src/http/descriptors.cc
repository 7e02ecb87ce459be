// SPDX-License-Identifier: Apache-2.0
#include "http/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace ciclo::http {

std::size_t raise_descriptor_limit() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;  // what POSIX systems give by habit
  if (limit.rlim_cur < limit.rlim_max) {
    struct rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<std::size_t>::max();
  return limit.rlim_cur;
}

std::size_t connections_below(std::size_t descriptors_max, std::size_t wanted) {
  const std::size_t reserve = std::min(kDescriptorsReserved, descriptors_max / 2);
  return std::max<std::size_t>(std::min(wanted, descriptors_max - reserve), 1);
}

}  // namespace ciclo::http
