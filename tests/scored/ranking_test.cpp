#include "scored/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/error.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// What one run of `air score` over all these rows writes: order by score, ties by line and trace.
void rank_together(std::vector<RankedRow>& rows, double RankedRow::*score) {
  std::stable_sort(rows.begin(), rows.end(), [&](const RankedRow& a, const RankedRow& b) {
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

TEST(JoinedRanksTest, TiesGoByLineThenTraceThenPlace) {
  EXPECT_THAT(joined_ranks({{.influence = 5, .rank = 1, .line = 4},
                            {.influence = 5, .rank = 2, .line = 9, .trace = 1},
                            {.influence = 5, .rank = 1, .line = 9, .trace = 0},
                            {.influence = 5, .rank = 2, .line = 2},
                            {.influence = 5, .rank = 3, .line = 2}}),
              ElementsAre(3, 5, 4, 1, 2));
}

TEST(JoinedRanksTest, ShardsOfOneRowDoNotShowWhatTheyWereRankedBy) {
  const std::vector<RankedRow> rows = {{.influence = 1, .divergence = 9, .rank = 1},
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
    const auto score = *rc::gen::element(&RankedRow::influence, &RankedRow::divergence);
    const auto num_shards = *rc::gen::inRange(2, 5);
    const auto size = *rc::gen::inRange(40, 90);  // few rows can follow both scores by chance
    std::vector<RankedRow> rows;
    for (int i = 0; i < size; ++i)
      rows.push_back({.influence = static_cast<double>(*rc::gen::inRange(0, 20)),
                      .divergence = static_cast<double>(*rc::gen::inRange(0, 20)),
                      .line = i / 2 + 1,
                      .trace = i % 2});
    rank_together(rows, score);
    std::map<int64_t, std::vector<RankedRow>> shards;
    for (const RankedRow& row : rows) shards[row.line % num_shards].push_back(row);
    std::vector<int64_t> expected;
    std::vector<RankedRow> joined;
    for (auto& [index, shard] : shards) {
      for (const RankedRow& row : shard) expected.push_back(row.rank);
      rank_together(shard, score);
      joined.insert(joined.end(), shard.begin(), shard.end());
    }
    RC_ASSERT(joined_ranks(joined) == expected);
  }));
}

TEST(WithOtherRankTest, ChangesTheDigitsOfTheTracesRankAlone) {
  const std::string before =
      R"({"rank":4,"id":"\u0061","big":1e400,"air":{"schema":"air.score/1",)";
  const std::string after = R"("num_tokens":3,"steps":[{"rank":4}]},"x" : "rank"})";
  EXPECT_EQ(with_other_rank(before + "\"rank\":4," + after, 1234, ""),
            before + "\"rank\":1234," + after);
  EXPECT_EQ(with_other_rank(before + after, 1234, ""), before + after);
  EXPECT_THROW(with_other_rank(R"({"rank":4})", 1, ""), Error);
}

}  // namespace
}  // namespace air
