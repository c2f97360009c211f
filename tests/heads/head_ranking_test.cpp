#include "heads/head_ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace air {
namespace {

using ::testing::ElementsAre;

const HeadScores kScores({{0.5, 0, 0.9}, {0.5, 0.7, 0.5}});

TEST(HeadRankingTest, PutsTheBestFirstAndBreaksTiesByLayerAndHead) {
  EXPECT_THAT(rank_heads(kScores),
              ElementsAre(Head{0, 2}, Head{1, 1}, Head{0, 0}, Head{1, 0}, Head{1, 2}, Head{0, 1}));
}

TEST(HeadRankingTest, RanksOnlyHeadsThatExist) {
  const HeadScores scores({{}, {0.1, 0.9}, {}, {}, {0.5}});
  EXPECT_THAT(rank_heads(scores), ElementsAre(Head{1, 1}, Head{4, 0}, Head{1, 0}));
  EXPECT_EQ(describe_cut_off(scores, 1).first_out, 0.5);
}

TEST(HeadRankingTest, CutsTheCriticalSetFromTheTop) {
  EXPECT_THAT(critical_set(kScores, 3), ElementsAre(Head{0, 2}, Head{1, 1}, Head{0, 0}));
  EXPECT_EQ(critical_set(kScores, 99).size(), 6u);
}

TEST(HeadRankingTest, RoundsTheFractionUp) {
  EXPECT_EQ(critical_count(0.05, 270), 14);
  EXPECT_EQ(critical_count(0.05, 72), 4);
  EXPECT_EQ(critical_count(1e-6, 270), 1);
  EXPECT_EQ(critical_count(1, 270), 270);
  // 0.1 · 270 is 27.000000000000004 in binary.
  EXPECT_EQ(critical_count(0.1, 270), 27);
}

TEST(HeadRankingTest, DescribesTheCutOff) {
  const CutOff cut_off = describe_cut_off(kScores, 3);
  EXPECT_EQ(cut_off.last_in, 0.5);
  EXPECT_EQ(cut_off.first_out, 0.5);
  EXPECT_EQ(cut_off.num_tied, 3);
  EXPECT_EQ(cut_off.num_zero, 1);
  EXPECT_EQ(cut_off.num_zero_in, 0);
  EXPECT_EQ(describe_cut_off(kScores, 6).num_zero_in, 1);
  EXPECT_EQ(describe_cut_off(kScores, 2).first_out, 0.5);
}

}  // namespace
}  // namespace air
