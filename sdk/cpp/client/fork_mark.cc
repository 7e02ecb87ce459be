// SPDX-License-Identifier: Apache-2.0
#include "client/fork_mark.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace ciclo::client {
namespace {

constexpr std::size_t kPageBytes = 4096;  // rounded up by the kernel

}  // namespace

Result<ForkMark> ForkMark::make() {
  void* page =
      ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return resource_exhausted("no memory for a page");
  ForkMark mark(static_cast<int*>(page));
  if (::madvise(page, kPageBytes, MADV_WIPEONFORK) != 0) {
    return failed_precondition(std::string("Linux 4.14 or newer is needed: MADV_WIPEONFORK: ") +
                               std::strerror(errno));
  }
  *mark.word_ = 1;
  return mark;
}

ForkMark::ForkMark(ForkMark&& other) noexcept : word_(std::exchange(other.word_, nullptr)) {}

ForkMark::~ForkMark() {
  if (word_ != nullptr) ::munmap(word_, kPageBytes);
}

}  // namespace ciclo::client
