// SPDX-License-Identifier: Apache-2.0
#include "base/program.h"

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace ciclo {
namespace {

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::size_t aligned(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// The build id among the notes of a segment; empty when it is not there.
std::string find_build_id(const unsigned char* notes, std::size_t size) {
  std::size_t at = 0;
  while (at + sizeof(ElfW(Nhdr)) <= size) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes + at, sizeof(note));
    const std::size_t name = at + sizeof(note);
    const std::size_t content = name + aligned(note.n_namesz);
    if (content + note.n_descsz > size) return {};
    const bool is_gnu = note.n_namesz == 4 && std::memcmp(notes + name, "GNU", 4) == 0;
    if (is_gnu && note.n_type == NT_GNU_BUILD_ID) {
      return hexadecimal(notes + content, note.n_descsz);
    }
    at = content + aligned(note.n_descsz);
  }
  return {};
}

// The first object is the program itself, which ends the iteration.
int read_program(dl_phdr_info* object, std::size_t, void* out) {
  std::string& id = *static_cast<std::string*>(out);
  for (int i = 0; i < object->dlpi_phnum && id.empty(); ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    // The loader gives addresses as integers.
    const auto address = object->dlpi_addr + segment.p_vaddr;
    const auto* notes =
        reinterpret_cast<const unsigned char*>(address);  // NOLINT(performance-no-int-to-ptr)
    id = find_build_id(notes, segment.p_memsz);
  }
  return 1;
}

}  // namespace

std::string program_build() {
  std::string id;
  dl_iterate_phdr(read_program, &id);
  CHECK(!id.empty());  // CMakeLists.txt has the linker write one
  return id;
}

}  // namespace ciclo
