// SPDX-License-Identifier: Apache-2.0
//
// Stands in for libFuzzer where it is not built: replays a corpus, then mutations of it.
//
//   NAME_fuzz CORPUS [MUTATIONS [SEED]]
//
// The same seed gives the same inputs. When the program dies, the input that it died of is in the
// file NAME_fuzz.failure of the working directory; put it into the corpus once it is understood.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kInputBytesMax = 1 << 16;

// For the signal handler, which can reach nothing else.
std::string g_input;
std::string g_failure_path;

void keep_input(int signal) {
  const int file = ::open(g_failure_path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file >= 0) {
    [[maybe_unused]] const auto ignored = ::write(file, g_input.data(), g_input.size());
    ::close(file);
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(std::string input) {
  g_input = std::move(input);
  // A copy of the exact size, so that the address sanitizer sees one byte too far.
  const std::vector<std::uint8_t> bytes(g_input.begin(), g_input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, std::uint64_t seed)
      : corpus_(corpus), random_(seed) {}

  std::string next() {
    std::string input = pick();
    const std::size_t changes = 1 + below(6);
    for (std::size_t i = 0; i < changes; ++i) change(input);
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    return input;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  const std::string& pick() { return corpus_[below(corpus_.size())]; }
  std::size_t place(const std::string& input) { return below(input.size() + 1); }

  char byte() {
    // All but the NUL that ends the literal; the one at its beginning counts.
    static constexpr char kTelling[] =
        "\0\n\r\t \"'\\{}[]():,;-+.0e9<>&*!%@`|#=/?\x7f\x80\xc3\xed\xff";
    return below(2) == 0 ? kTelling[below(sizeof kTelling - 1)] : static_cast<char>(random_());
  }

  void change(std::string& input) {
    const std::size_t at = place(input);
    switch (below(6)) {
      case 0: input.insert(at, 1, byte()); break;
      case 1: input.erase(at, 1 + below(8)); break;
      case 2:
        if (at < input.size()) input[at] = byte();
        break;
      case 3: input.insert(at, 1 + below(64), byte()); break;
      case 4: input.insert(at, input.substr(place(input), 1 + below(32))); break;
      default: {
        const std::string& other = pick();
        input = input.substr(0, at) + other.substr(below(other.size() + 1));
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS [MUTATIONS [SEED]]\n", argv[0]);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const auto mutations = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 2000;
  const auto seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  if (!std::filesystem::is_directory(folder)) {
    std::fprintf(stderr, "%s: there is no folder %s\n", argv[0], folder.c_str());
    return 2;
  }
  const std::vector<std::string> corpus = read_corpus(folder);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: %s holds no input\n", argv[0], folder.c_str());
    return 2;
  }
  g_failure_path = std::filesystem::path(argv[0]).filename().string() + ".failure";
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) {
    std::signal(signal, keep_input);
  }
  for (const auto& input : corpus) run(input);
  Mutator mutator(corpus, seed);
  for (std::uint64_t i = 0; i < mutations; ++i) run(mutator.next());
  std::printf("%zu inputs and %llu mutations (seed %llu)\n", corpus.size(),
              static_cast<unsigned long long>(mutations), static_cast<unsigned long long>(seed));
  return 0;
}
