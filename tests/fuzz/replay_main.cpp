// The fuzz targets without libFuzzer: replays the files of a corpus, and each of them cut short and
// with bytes changed.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/rng.h"
#include "fuzz/fuzz_target.h"

namespace {

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

void replay(const std::string& bytes) {
  constexpr int kChanged = 200;
  run(bytes);
  air::Rng rng(bytes.size());
  for (int i = 0; i < kChanged && !bytes.empty(); ++i) {
    std::string changed = bytes;
    if (i % 4 == 0) changed.resize(rng.below(bytes.size()));
    for (uint64_t n = rng.below(4); n > 0 && !changed.empty(); --n)
      changed[rng.below(changed.size())] = static_cast<char>(rng.below(256));
    run(changed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      replay({std::istreambuf_iterator<char>(file), {}});
      ++count;
    }
  }
  std::printf("%d files replayed\n", count);
  return count > 0 ? 0 : 1;
}
