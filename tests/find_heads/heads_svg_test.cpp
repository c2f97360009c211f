#include "find_heads/heads_svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

using ::testing::HasSubstr;

TEST(HeadsSvgTest, DrawsEveryHeadOnceAndOutlinesTheCriticalOnes) {
  HeadsFile file;
  file.model.grid = HeadGrid::full(2, 3);
  file.heads = {{1, 2}};
  file.scores = {{0, 0.5, 0.25}, {0, 0, 1}};
  const std::string svg = heads_svg(file);
  size_t num_cells = 0, num_outlined = 0;
  for (size_t at = svg.find("<title>layer"); at != std::string::npos;
       at = svg.find("<title>layer", at + 1))
    ++num_cells;
  for (size_t at = svg.find("#c2410c"); at != std::string::npos; at = svg.find("#c2410c", at + 1))
    ++num_outlined;
  EXPECT_EQ(num_cells, 6u);
  EXPECT_EQ(num_outlined, 1u);
  EXPECT_THAT(svg, HasSubstr("layer 1 head 2: 1.000, critical, no. 1"));
  EXPECT_THAT(svg, HasSubstr("layer 0 head 1: 0.500<"));
}

TEST(HeadsSvgTest, NeedsScores) { EXPECT_THROW(heads_svg(HeadsFile{}), Error); }

}  // namespace
}  // namespace air
