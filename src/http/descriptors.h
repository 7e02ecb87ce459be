// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

// How many sockets the process may open: each takes a file descriptor, of which the system allows
// a process a bounded number.

namespace ciclo::http {

// Kept free for what is not a connection of the server: the database, blobs, captured rows, pipes
// of steps, calls to other servers.
inline constexpr std::size_t kDescriptorsReserved = 256;

// Raises the process's limit of open files to what the system lets it have, and returns the limit.
// Child processes inherit it.
std::size_t raise_descriptor_limit();

// The connections that fit below a limit of descriptors: at most `wanted`, and so many that the
// reserve stays free, or half of a limit that is smaller than twice the reserve; at least 1.
std::size_t connections_below(std::size_t descriptors_max, std::size_t wanted);

}  // namespace ciclo::http
