#include "score/packer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/rng.h"

namespace air {
namespace {

/// What a batch costs: every prompt once.
int64_t tokens_of(const std::vector<TraceLength>& traces, const std::vector<size_t>& batch) {
  int64_t tokens = 0;
  std::set<int64_t> prompts;
  for (const size_t i : batch) {
    const bool again = traces[i].prompt >= 0 && !prompts.insert(traces[i].prompt).second;
    tokens += traces[i].num_tokens - (again ? traces[i].num_prompt_tokens : 0);
  }
  return tokens;
}

TEST(PackerTest, TakesEveryTraceOnceAndKeepsTheBudget) {
  Rng rng(5);
  for (int round = 0; round < 200; ++round) {
    const uint64_t num_prompts = rng.below(12);
    std::vector<int64_t> prompt_lengths;
    for (uint64_t i = 0; i < num_prompts; ++i)
      prompt_lengths.push_back(static_cast<int64_t>(1 + rng.below(100)));
    std::vector<TraceLength> traces;
    for (uint64_t i = 0, n = rng.below(60); i < n; ++i) {
      const uint64_t prompt = rng.below(num_prompts + 3);
      if (prompt < num_prompts)
        traces.push_back({prompt_lengths[prompt] + static_cast<int64_t>(1 + rng.below(100)),
                          prompt_lengths[prompt], static_cast<int64_t>(prompt)});
      else
        traces.push_back({static_cast<int64_t>(2 + rng.below(200)), 1, -1});
    }
    std::vector<int> seen(traces.size(), 0);
    for (const auto& batch : pack_batches(traces, 128)) {
      ASSERT_FALSE(batch.empty());
      for (const size_t i : batch) ++seen[i];
      EXPECT_TRUE(tokens_of(traces, batch) <= 128 || batch.size() == 1);
    }
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int count) { return count == 1; }));
  }
}

TEST(PackerTest, NeverSplitsATraceLongerThanTheBudget) {
  const std::vector<TraceLength> traces = {{3, 1}, {500, 1}, {4, 1}};
  const auto batches = pack_batches(traces, 10);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0], std::vector<size_t>({1}));
  EXPECT_EQ(batches[1], std::vector<size_t>({2, 0}));
}

TEST(PackerTest, AnswersToOnePromptStayTogether) {
  // 100 + 3 · 10 tokens fit where four prompts would not; the trace of another prompt lies between
  // them in length.
  const std::vector<TraceLength> traces = {
      {112, 100, 7}, {111, 1, -1}, {110, 100, 7}, {108, 100, 7}};
  const auto batches = pack_batches(traces, 130);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0], std::vector<size_t>({0, 2, 3}));
  EXPECT_EQ(batches[1], std::vector<size_t>({1}));
}

TEST(PackerTest, CountsASharedPromptForWhatItCostsOnceMore) {
  // 100 + 4 · 10 tokens, and 25 for the prompt of each trace after the first.
  const std::vector<TraceLength> traces(4, {110, 100, 7});
  EXPECT_EQ(pack_batches(traces, 180, 0.25).size(), 2u);
  EXPECT_EQ(pack_batches(traces, 215, 0.25).size(), 1u);
}

TEST(PackerTest, NoTracesGiveNoBatches) { EXPECT_TRUE(pack_batches({}, 10).empty()); }

}  // namespace
}  // namespace air
