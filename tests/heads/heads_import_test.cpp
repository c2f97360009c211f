#include "heads/heads_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PublishedHeads parse(const std::string& text) { return parse_published_heads(text); }

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kModel);
    EXPECT_EQ(error.where(), "");
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(PublishedHeadsTest, RanksHeadsByTheMeanOfTheirScores) {
  const PublishedHeads heads = parse(R"({"0-1": [0, 0.5], "3-2": [1, 0.5], "2-0": [0.25]})");
  EXPECT_THAT(heads.heads, ElementsAre(Head{3, 2}, Head{0, 1}, Head{2, 0}));
  EXPECT_THAT(heads.scores, ElementsAre(0.75, 0.25, 0.25));
  EXPECT_THAT(parse(R"({"0-1": 0.5, "3-2": 2})").heads, ElementsAre(Head{3, 2}, Head{0, 1}));
}

TEST(PublishedHeadsTest, ReadsAListOfPairs) {
  const PublishedHeads heads = parse(R"([["8-21", 0.9], ["8-14", 1.2]])");
  EXPECT_THAT(heads.heads, ElementsAre(Head{8, 14}, Head{8, 21}));
  EXPECT_THAT(heads.scores, ElementsAre(1.2, 0.9));
}

TEST(PublishedHeadsTest, KeepsTheOrderOfAListWithoutScores) {
  EXPECT_THAT(parse(R"(["8-21", "0-3"])").heads, ElementsAre(Head{8, 21}, Head{0, 3}));
  EXPECT_THAT(parse("[[8, 21], [0, 3]]").heads, ElementsAre(Head{8, 21}, Head{0, 3}));
  EXPECT_TRUE(parse("[[8, 21], [0, 3]]").scores.empty());
}

TEST(PublishedHeadsTest, ReadsPlainText) {
  EXPECT_THAT(parse("8,21\r\n 0, 3 # the second\n\n").heads, ElementsAre(Head{8, 21}, Head{0, 3}));
  EXPECT_THAT(parse("# ours\n8-21\n0-3").heads, ElementsAre(Head{8, 21}, Head{0, 3}));
  EXPECT_THAT(parse("8-21,0-3\n1-1\n").heads, ElementsAre(Head{8, 21}, Head{0, 3}, Head{1, 1}));
}

TEST(PublishedHeadsTest, QuotesWhatIsNoHead) {
  EXPECT_THAT(error_of("eight"), HasSubstr("eight"));
  EXPECT_THAT(error_of("8,21,3"), HasSubstr("8-21,3"));
  EXPECT_THAT(error_of(R"({"8": [1]})"), HasSubstr("\"8\""));
  EXPECT_THAT(error_of(R"({"8-1": ["x"]})"), HasSubstr("\"x\""));
  EXPECT_THAT(error_of(R"({"8-1": []})"), HasSubstr("empty list"));
  EXPECT_THAT(error_of(R"([["8-1", 1], "8-2"])"), HasSubstr("some do not"));
  EXPECT_THAT(error_of("[[1, 2, 3]]"), HasSubstr("[1,2,3]"));
  EXPECT_THAT(error_of("8-1\n8-1\n"), HasSubstr("named twice"));
  EXPECT_THAT(error_of("# nothing\n"), HasSubstr("no heads"));
  EXPECT_THAT(error_of("# QRHead\nattn_head_set: \"18-6,17-3\" # top\nmodel_base_class: x\n"),
              HasSubstr("YAML"));
  EXPECT_THAT(error_of("{\"8-1\": [1]"), HasSubstr(""));
}

}  // namespace
}  // namespace air
