#include "heads/random_heads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace air {
namespace {

const HeadSet kHeads = {{3, 1}, {0, 2}, {3, 0}};

TEST(RandomHeadsTest, DrawsAsManyOthers) {
  Rng rng(1);
  for (int round = 0; round < 50; ++round) {
    const HeadSet drawn = random_heads(kHeads, HeadGrid::full(4, 4), rng);
    EXPECT_EQ(std::set<Head>(drawn.begin(), drawn.end()).size(), 3u);
    for (const Head head : kHeads) EXPECT_EQ(std::count(drawn.begin(), drawn.end(), head), 0);
  }
}

TEST(RandomHeadsTest, KeepsTheLayersWhenAsked) {
  Rng rng(1);
  std::set<HeadSet> different;
  for (int round = 0; round < 50; ++round) {
    const HeadSet drawn = random_heads_of_same_layers(kHeads, HeadGrid::full(4, 4), rng);
    different.insert(drawn);
    std::map<int64_t, int> counts;
    for (const Head head : drawn) ++counts[head.layer];
    EXPECT_EQ(counts, (std::map<int64_t, int>{{0, 1}, {3, 2}}));
    for (const Head head : kHeads) EXPECT_EQ(std::count(drawn.begin(), drawn.end(), head), 0);
  }
  EXPECT_GT(different.size(), 2u);
}

TEST(RandomHeadsTest, DrawsOnlyFromLayersThatHaveHeads) {
  const HeadGrid grid({0, 4, 0, 4});
  Rng rng(1);
  std::set<Head> seen;
  for (int round = 0; round < 50; ++round)
    for (const Head head : random_heads({{1, 0}, {3, 2}}, grid, rng)) seen.insert(head);
  // All the others, and nothing else.
  EXPECT_EQ(seen, (std::set<Head>{{1, 1}, {1, 2}, {1, 3}, {3, 0}, {3, 1}, {3, 3}}));
}

TEST(RandomHeadsTest, TakesCriticalOnesOnlyWhenNoOthersAreLeft) {
  Rng rng(1);
  const HeadSet most = {{0, 0}, {0, 1}, {0, 2}};
  const HeadSet drawn = random_heads_of_same_layers(most, HeadGrid::full(1, 4), rng);
  EXPECT_EQ(drawn.size(), 3u);
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), Head{0, 3}), 1);
}

}  // namespace
}  // namespace air
