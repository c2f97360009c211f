#include "heads/head_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace air {
namespace {

using ::testing::ElementsAre;

TEST(HeadGridTest, CountsTheHeadsOfAFullModel) {
  const HeadGrid grid = HeadGrid::full(2, 3);
  EXPECT_EQ(grid.num_layers(), 2);
  EXPECT_EQ(grid.total(), 6);
  EXPECT_TRUE(grid.is_full());
  EXPECT_TRUE(grid.contains({1, 2}));
  for (const Head head : {Head{1, 3}, Head{2, 0}, Head{-1, 0}, Head{0, -1}})
    EXPECT_FALSE(grid.contains(head)) << to_string(head);
  EXPECT_EQ(to_string(grid), "2 layers × 3 heads");
}

TEST(HeadGridTest, LeavesOutLayersWithoutAttention) {
  const HeadGrid grid({0, 2, 0, 1});
  EXPECT_EQ(grid.num_layers(), 4);
  EXPECT_EQ(grid.max_heads(), 2);
  EXPECT_EQ(grid.total(), 3);
  EXPECT_FALSE(grid.is_full());
  EXPECT_FALSE(grid.contains({0, 0}));
  EXPECT_FALSE(grid.contains({3, 1}));
  EXPECT_THAT(grid.all_heads(), ElementsAre(Head{1, 0}, Head{1, 1}, Head{3, 0}));
  EXPECT_EQ(to_string(grid), "4 layers × 2 heads (2 with attention)");
}

}  // namespace
}  // namespace air
