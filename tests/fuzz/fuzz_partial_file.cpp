// What an interrupted run left behind (OUT.partial), damaged: of scores and of find-heads' results
// only what was written is taken over, and in its place; all else is dropped.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/rng.h"
#include "find_heads/result_journal.h"
#include "fuzz/damage.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/memory_file.h"
#include "score/partial_file.h"
#include "support/temporary_folder.h"

namespace {

using namespace air;

constexpr size_t kLines = 12;
const HeadGrid kGrid({2, 3, 0, 1});

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string scored_line(size_t i) {
  const std::string number = std::to_string(i), loss = "0." + std::to_string(1000 + 37 * i);
  return "{\"id\":" + number + ",\"air\":{\"schema\":\"air.score/1\",\"line\":" + number +
         ",\"influence\":" + loss + ",\"divergence\":0.1,\"base_nll\":" + loss +
         ",\"ref_nll\":0.3,\"entropy\":0.4,\"num_tokens\":" + number + ",\"steps\":[]}}";
}

ProbeResult result(size_t i) {
  ProbeResult result;
  const double x = 1.0 / static_cast<double>(i + 3);
  result.recall = x;
  result.nll = 1 - x;
  result.scores = HeadScores({{0, x}, {1, x / 2, x / 3}, {}, {0.5}});
  return result;
}

/// The two kinds of file, whole.
class Truth {
 public:
  Truth() {
    {
      PartialFile file(path("scores"), kRun, false);
      for (size_t i = 1; i <= kLines; ++i) {
        ScoredEntry entry;
        entry.line = static_cast<int64_t>(i);
        const bool is_skipped = i % 5 == 0;
        const std::string line = is_skipped ? line_of_skipped(entry, "record") : scored_line(i);
        lines_.insert(line);
        file.append({entry}, {line});
      }
    }
    {
      ResultJournal journal(path("results"), "identity", kGrid, false);
      for (size_t i = 0; i < kLines; ++i) journal.add(i, result(i));
    }
    scores_ = bytes_of(path("scores"));
    results_ = bytes_of(path("results"));
  }

  const std::string& scores() const { return scores_; }
  const std::string& results() const { return results_; }

  /// @param is_sound false: the bytes may hold lines with checksums that somebody computed.
  void check_scores(const std::string& bytes, bool is_sound) const {
    folder_.write("scores", bytes);
    try {
      const PartialFile file(path("scores"), kRun, true);
      for (const ScoredEntry& entry : file.entries()) {
        const std::string line = file.read_line(entry);
        FUZZ_CHECK(!is_sound || lines_.contains(line));
        const auto again = entry_of_line(line);
        FUZZ_CHECK(again && again->line == entry.line && again->influence == entry.influence);
      }
    } catch (const Error& e) {
      check_refusal(e, "scores", bytes);
    }
  }

  void check_results(const std::string& bytes, bool is_sound) const {
    folder_.write("results", bytes);
    try {
      const ResultJournal journal(path("results"), "identity", kGrid, true);
      for (size_t i = 0; i < kLines; ++i) {
        const ProbeResult* kept = journal.find(i);
        if (kept == nullptr) continue;
        FUZZ_CHECK(kept->scores.grid() == kGrid);
        if (!is_sound) continue;
        const ProbeResult written = result(i);
        FUZZ_CHECK(kept->recall == written.recall && kept->nll == written.nll);
        FUZZ_CHECK(kept->scores == written.scores);
      }
      FUZZ_CHECK(!is_sound || journal.num_kept() <= static_cast<int64_t>(kLines));
    } catch (const Error& e) {
      check_refusal(e, "results", bytes);
    }
  }

 private:
  /// A file that is not ours, or of another run, stays as it is.
  void check_refusal(const Error& e, const char* name, const std::string& bytes) const {
    if (e.kind() != ErrorKind::kUsage)
      std::fprintf(stderr, "%s: %s\n", e.where().c_str(), e.what());
    FUZZ_CHECK(e.kind() == ErrorKind::kUsage);
    FUZZ_CHECK(bytes_of(path(name)) == bytes);
  }
  std::string path(const char* name) const { return (folder_.path() / name).string(); }

  const Json kRun = {{"model", "a"}, {"seed", 0}};
  test::TemporaryFolder folder_;
  std::set<std::string> lines_;
  std::string scores_, results_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Truth truth = [] {
    spdlog::set_level(spdlog::level::off);
    keep_folders_in_memory();
    return Truth();
  }();
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  truth.check_scores(bytes, /*is_sound=*/false);
  truth.check_results(bytes, /*is_sound=*/false);
  // Damage that no fuzzer directs: one that sees the code can compute checksums.
  Rng rng(std::hash<std::string>{}(bytes));
  truth.check_scores(damaged(truth.scores(), rng), /*is_sound=*/true);
  truth.check_results(damaged(truth.results(), rng), /*is_sound=*/true);
  return 0;
}
