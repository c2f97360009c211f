#include "heads/head_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace air {
namespace {

using ::testing::ElementsAre;

TEST(HeadScoresTest, AreIndexedByHead) {
  HeadScores scores(HeadGrid({0, 2, 0, 1}));
  scores[{1, 1}] = 0.5;
  scores[{3, 0}] = 1;
  EXPECT_THAT(scores.values(), ElementsAre(0, 0.5, 1));
  EXPECT_THAT(scores.layers(),
              ElementsAre(ElementsAre(), ElementsAre(0, 0.5), ElementsAre(), ElementsAre(1)));
  EXPECT_EQ(HeadScores(scores.layers()), scores);
  EXPECT_EQ(scores.layer(1)[1], 0.5);
  EXPECT_TRUE(scores.layer(2).empty());
}

TEST(HeadScoresTest, AddWeighted) {
  HeadScores sum({{1, 2}, {}, {3}});
  sum.add(HeadScores({{10, 20}, {}, {30}}), 0.5);
  sum.divide(2);
  EXPECT_THAT(sum.values(), ElementsAre(3, 6, 9));
}

}  // namespace
}  // namespace air
