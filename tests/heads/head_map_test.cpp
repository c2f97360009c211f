#include "heads/head_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

using ::testing::HasSubstr;

size_t count(const std::string& text, const std::string& part) {
  size_t number = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++number;
  return number;
}

/// The value of the attribute `d` of the first path of a class; empty when there is none.
std::string path_of(const std::string& svg, const std::string& style) {
  const std::string open = "<path class=\"" + style + "\" d=\"";
  const size_t at = svg.find(open);
  if (at == std::string::npos) return "";
  const size_t begin = at + open.size();
  return svg.substr(begin, svg.find('"', begin) - begin);
}

HeadsFile file_of(const std::vector<std::vector<double>>& scores, HeadSet heads) {
  HeadsFile file;
  file.scores = HeadScores(scores);
  file.model.grid = file.scores.grid();
  file.heads = std::move(heads);
  return file;
}

TEST(HeadMapTest, DrawsEveryHeadOnceAndOutlinesTheCriticalOnes) {
  const std::string svg = head_map_svg(file_of({{0, 0.5, 0.25}, {0, 0, 1}}, {{1, 2}}));
  EXPECT_EQ(count(svg, "<title>layer"), 6u);
  EXPECT_EQ(count(path_of(svg, "critical"), "z"), 1u);
  EXPECT_THAT(svg, HasSubstr("layer 1 head 2: 1.000, critical, no. 1"));
  EXPECT_THAT(svg, HasSubstr("layer 0 head 1: 0.500<"));
}

TEST(HeadMapTest, PutsLayersDownAndHeadsAcross) {
  const HeadsFile file = file_of({{0, 0.5, 0.25}, {0, 0, 1}}, {{1, 2}});
  const HeadMapLayout layout(file.model.grid);
  EXPECT_EQ(layout.columns, 3);
  EXPECT_EQ(layout.rows, 2);
  const std::string shapes = head_map_shapes(file);
  // The only score that has the deepest shade, 1-2, is in column 2 of row 1.
  EXPECT_EQ(path_of(shapes, "h7"),
            "M" + std::to_string(layout.x(2)) + " " + std::to_string(layout.y(1)) + "h21v21h-21z");
  EXPECT_EQ(count(path_of(shapes, "h0"), "z"), 3u);
}

TEST(HeadMapTest, LeavesTheRowOfALayerWithoutHeadsEmpty) {
  const HeadsFile file = file_of({{}, {0, 0.5, 0.25}, {}, {0, 0, 1}}, {{3, 2}});
  const std::string svg = head_map_svg(file);
  EXPECT_EQ(count(svg, "<title>layer"), 6u);
  const HeadMapLayout layout(file.model.grid);
  EXPECT_EQ(layout.rows, 4);
  for (const int64_t empty : {0, 2})
    EXPECT_EQ(count(head_map_shapes(file), " " + std::to_string(layout.y(empty)) + "h"), 0u);
}

TEST(HeadMapTest, NeedsScores) { EXPECT_THROW(head_map_svg(HeadsFile{}), Error); }

}  // namespace
}  // namespace air
