#include "air/score/packer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "air/base/rng.h"

namespace air {
namespace {

TEST(PackerTest, TakesEveryTraceOnceAndKeepsTheBudget) {
  Rng rng(5);
  for (int round = 0; round < 100; ++round) {
    std::vector<int64_t> lengths;
    for (uint64_t i = 0, n = rng.below(60); i < n; ++i) lengths.push_back(static_cast<int64_t>(1 + rng.below(200)));
    std::vector<int> seen(lengths.size(), 0);
    for (const auto& batch : pack_batches(lengths, 128)) {
      ASSERT_FALSE(batch.empty());
      int64_t tokens = 0;
      for (const size_t i : batch) {
        ++seen[i];
        tokens += lengths[i];
      }
      EXPECT_TRUE(tokens <= 128 || batch.size() == 1);
    }
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
  }
}

TEST(PackerTest, NeverSplitsATraceLongerThanTheBudget) {
  const std::vector<int64_t> lengths = {3, 500, 4};
  const auto batches = pack_batches(lengths, 10);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0], std::vector<size_t>({1}));
  EXPECT_EQ(batches[1], std::vector<size_t>({2, 0}));
}

TEST(PackerTest, NoTracesGiveNoBatches) { EXPECT_TRUE(pack_batches({}, 10).empty()); }

}  // namespace
}  // namespace air
