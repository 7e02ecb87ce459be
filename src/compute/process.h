// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/clock.h"
#include "compute/launcher.h"

namespace ciclo::compute {

// The environment variable that holds JobSpec::name in every process of a job. It finds descendants
// that left the process group.
inline constexpr const char* kJobVariable = "CICLO_JOB";

// Jobs as children of this process, each in its own process group. A job ends when its first
// process has ended; what that left behind is killed then. Two nets catch descendants: the process
// group, and for those that left it the job's name in their environment. Only one that left the
// group, closed its inherited descriptors and belongs to a job that ended by itself can live on.
// Linux only. The clock must outlive the launcher and its jobs; it times time-outs and usage.
std::unique_ptr<Launcher> process_launcher(Clock& clock);

}  // namespace ciclo::compute
