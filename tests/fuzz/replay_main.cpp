// The fuzz targets without libFuzzer: replays the files of a corpus, and each of them damaged at
// random, the same in every run.
//
//     fuzz_X [--mutations N] [--seed S] FOLDER…
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/rng.h"
#include "fuzz/damage.h"
#include "fuzz/fuzz_target.h"

namespace {

constexpr double kHang = 10;  // seconds

// What is being run, for a check that fails or a sanitizer that ends the program.
std::string running, running_bytes;

extern "C" void show_running(int) {
  std::fprintf(stderr, "%s:\n", running.c_str());
  std::fwrite(running_bytes.data(), 1, running_bytes.size(), stderr);
  std::signal(SIGABRT, SIG_DFL);
}

void run(const std::string& bytes, const std::string& name) {
  const auto start = std::chrono::steady_clock::now();
  running = name;
  running_bytes = bytes;
  // A copy of this very size: a sanitizer sees what reads past its end.
  const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  FUZZ_CHECK(seconds.count() <= kHang);
}

struct Seed {
  std::string name, bytes;
};

std::vector<Seed> seeds_in(const std::string& folder) {
  std::vector<Seed> seeds;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    seeds.push_back({entry.path().string(), {std::istreambuf_iterator<char>(file), {}}});
  }
  return seeds;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t mutations = 0, first = 0;  // of all files together
  std::vector<Seed> seeds;
  for (int i = 1; i < argc; ++i) {
    if (i + 1 < argc && std::strcmp(argv[i], "--mutations") == 0) {
      mutations = std::stoull(argv[++i]);
    } else if (i + 1 < argc && std::strcmp(argv[i], "--seed") == 0) {
      first = std::stoull(argv[++i]);
    } else {
      const std::vector<Seed> more = seeds_in(argv[i]);
      seeds.insert(seeds.end(), more.begin(), more.end());
    }
  }
  std::ranges::sort(seeds, {}, &Seed::name);
  std::signal(SIGABRT, show_running);
  for (const Seed& seed : seeds) run(seed.bytes, seed.name);
  for (uint64_t i = 0; i < mutations && !seeds.empty(); ++i) {
    const Seed& seed = seeds[i % seeds.size()];
    air::Rng rng(first + i);
    run(damaged(seed.bytes, rng), seed.name + ", mutation " + std::to_string(first + i));
  }
  std::printf("%zu files and %llu mutations replayed\n", seeds.size(),
              static_cast<unsigned long long>(mutations));
  return seeds.empty() ? 1 : 0;
}
