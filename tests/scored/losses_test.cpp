#include "scored/losses.h"

#include <gtest/gtest.h>

namespace air {
namespace {

TEST(InfluenceTest, IsTheRelativeRiseOfTheMeanLoss) {
  const TokenScores tokens{{1.0, 3.0, 2.0}, {2.0, 4.0, 5.0}, {0.5, 0.5, 2.0}, {}};
  const SpanScore first = mean_over(tokens, 0, 2);
  EXPECT_DOUBLE_EQ(first.base_nll, 2.0);
  EXPECT_DOUBLE_EQ(first.divergence(), 1.0);
  EXPECT_DOUBLE_EQ(first.influence(0.05), 0.5);
  EXPECT_DOUBLE_EQ(mean_over(tokens, 0, 3).entropy, 1.0);
}

TEST(InfluenceTest, FloorBoundsTheRatioOfKnownSteps) {
  const TokenScores tokens{{0.001}, {0.101}, {0.0}, {}};
  EXPECT_NEAR(mean_over(tokens, 0, 1).influence(0.05), 2.0, 1e-12);
}

TEST(InfluenceTest, SumsOfStepsAreTheSumOfTheTrace) {
  const TokenScores tokens{{1, 2, 3, 4, 5}, {2, 2, 4, 4, 6}, {1, 1, 1, 1, 1}, {1, 2, 3, 4, 4}};
  const SpanScore a = mean_over(tokens, 0, 2), b = mean_over(tokens, 2, 5),
                  whole = mean_over(tokens, 0, 5);
  EXPECT_NEAR(a.base_nll * 2 + b.base_nll * 3, whole.base_nll * 5, 1e-12);
  EXPECT_NEAR(a.divergence() * 2 + b.divergence() * 3, whole.divergence() * 5, 1e-12);
  EXPECT_NEAR(whole.controlled(), 18.0 / 5 - 14.0 / 5, 1e-12);
}

// By hand: 3 tokens of its own and 1 of the trace's average.
TEST(InfluenceTest, ShrinkingAddsTokensOfTheTracesAverage) {
  const SpanScore step{
      .num_tokens = 3, .base_nll = 1, .ref_nll = 3, .entropy = 4, .control_nll = 2};
  const SpanScore trace{
      .num_tokens = 9, .base_nll = 5, .ref_nll = 7, .entropy = 0, .control_nll = 6};
  const SpanScore shrunk = shrunk_towards(step, trace, 1);
  EXPECT_EQ(shrunk.num_tokens, 3);
  EXPECT_DOUBLE_EQ(shrunk.base_nll, 2);
  EXPECT_DOUBLE_EQ(shrunk.ref_nll, 4);
  EXPECT_DOUBLE_EQ(shrunk.entropy, 3);
  EXPECT_DOUBLE_EQ(shrunk.control_nll, 3);
  EXPECT_DOUBLE_EQ(shrunk.influence(0.05), 1);
  EXPECT_DOUBLE_EQ(shrunk_towards(step, trace, 0).influence(0.05), 2);
  EXPECT_NEAR(shrunk_towards(step, trace, 1e9).influence(0.05), 0.4, 1e-7);
}

TEST(RankCorrelationTest, IsOneForTheSameOrderAndMinusOneForTheReverse) {
  EXPECT_DOUBLE_EQ(rank_correlation({1, 5, 2, 9}, {10, 50, 20, 1000}), 1.0);
  EXPECT_DOUBLE_EQ(rank_correlation({1, 5, 2, 9}, {4, 2, 3, 1}), -1.0);
  EXPECT_DOUBLE_EQ(rank_correlation({1, 1, 1}, {1, 2, 3}), 0.0);
}

// scipy.stats.spearmanr([1, 2, 2, 3], [1, 3, 2, 4]).statistic
TEST(RankCorrelationTest, TiesShareTheirMeanRank) {
  EXPECT_NEAR(rank_correlation({1, 2, 2, 3}, {1, 3, 2, 4}), 0.9486832980505138, 1e-12);
}

}  // namespace
}  // namespace air
