// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "compute/descriptor.h"
#include "compute/launcher.h"

namespace ciclo::compute {

// A child that was started, with our ends of its pipes, which do not block.
struct Child {
  pid_t pid = -1;
  Descriptor process;  // a pidfd: readable once the child is dead
  Descriptor log;      // its standard output and error
  Descriptor lines;    // its descriptor 3
};

// Starts the job's program as leader of a new process group that dies with the calling thread. Its
// standard input is empty, its signals and mask are the default ones, and it inherits no other
// descriptor.
Result<Child> spawn(const JobSpec& spec);

}  // namespace ciclo::compute
