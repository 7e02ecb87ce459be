// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace ciclo::http {

// For tests: a fresh key and a certificate for 127.0.0.1 that it signs itself, as certificate.pem
// and key.pem.
void write_certificate(const std::filesystem::path& directory);

}  // namespace ciclo::http
