#include "scored/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// What one run of `air score` over all these rows writes: order by score, ties by line and trace.
void rank_together(std::vector<RankKey>& rows, double RankKey::*score) {
  std::stable_sort(rows.begin(), rows.end(), [&](const RankKey& a, const RankKey& b) {
    if (a.*score != b.*score) return a.*score > b.*score;
    return a.line != b.line ? a.line < b.line : a.trace < b.trace;
  });
  for (size_t i = 0; i < rows.size(); ++i) rows[i].rank = static_cast<int64_t>(i) + 1;
}

TEST(JoinedRanksTest, RowsThatWereRankedTogetherStayAsTheyAre) {
  EXPECT_THAT(joined_ranks({}), IsEmpty());
  EXPECT_THAT(joined_ranks({{.influence = 1, .rank = 7},
                            {.influence = 3, .rank = 2},
                            {.influence = 9},
                            {.influence = 9}}),
              IsEmpty());
}

TEST(RankingTest, RowsOfWhichNoneHasARankAreRanked) {
  EXPECT_THAT(
      joined_ranks(
          {{.influence = 1, .line = 1}, {.influence = 9, .line = 3}, {.influence = 9, .line = 2}}),
      ElementsAre(3, 2, 1));
  EXPECT_THAT(joined_ranks({{.influence = 1}, {.influence = 9, .rank = 1}}), IsEmpty());
}

TEST(JoinedRanksTest, TiesGoByLineThenTraceThenPlace) {
  EXPECT_THAT(joined_ranks({{.influence = 5, .rank = 1, .line = 4},
                            {.influence = 5, .rank = 2, .line = 9, .trace = 1},
                            {.influence = 5, .rank = 1, .line = 9, .trace = 0},
                            {.influence = 5, .rank = 2, .line = 2},
                            {.influence = 5, .rank = 3, .line = 2}}),
              ElementsAre(3, 5, 4, 1, 2));
}

TEST(JoinedRanksTest, ShardsOfOneRowDoNotShowWhatTheyWereRankedBy) {
  const std::vector<RankKey> rows = {{.influence = 1, .divergence = 9, .rank = 1},
                                     {.influence = 2, .divergence = 8, .rank = 1}};
  EXPECT_THAT(joined_ranks(rows, InfluenceKind::kAbsolute), ElementsAre(1, 2));
  EXPECT_THAT(joined_ranks(rows, InfluenceKind::kRelative), ElementsAre(2, 1));
}

TEST(JoinedRanksTest, RowsWithoutARankGetNone) {
  EXPECT_THAT(
      joined_ranks({{.influence = 1, .rank = 1}, {.influence = 9}, {.influence = 2, .rank = 1}}),
      ElementsAre(2, 0, 1));
}

TEST(JoinedRanksTest, ShardsJoinToTheRanksOfOneRun) {
  EXPECT_TRUE(rc::check([] {
    const auto score = *rc::gen::element(&RankKey::influence, &RankKey::divergence);
    const auto num_shards = *rc::gen::inRange(2, 5);
    const auto size = *rc::gen::inRange(40, 90);  // few rows can follow both scores by chance
    std::vector<RankKey> rows;
    for (int i = 0; i < size; ++i)
      rows.push_back({.influence = static_cast<double>(*rc::gen::inRange(0, 20)),
                      .divergence = static_cast<double>(*rc::gen::inRange(0, 20)),
                      .line = i / 2 + 1,
                      .trace = i % 2});
    rank_together(rows, score);
    std::map<int64_t, std::vector<RankKey>> shards;
    for (const RankKey& row : rows) shards[row.line % num_shards].push_back(row);
    std::vector<int64_t> expected;
    std::vector<RankKey> joined;
    for (auto& [index, shard] : shards) {
      for (const RankKey& row : shard) expected.push_back(row.rank);
      rank_together(shard, score);
      joined.insert(joined.end(), shard.begin(), shard.end());
    }
    RC_ASSERT(joined_ranks(joined) == expected);
  }));
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
