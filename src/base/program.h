// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ciclo {

// Identifies the code of this program, in hexadecimal digits: the build id that the linker computes
// over all it writes. The same sources built the same way give the same id; other code, another
// one.
std::string program_build();

}  // namespace ciclo
