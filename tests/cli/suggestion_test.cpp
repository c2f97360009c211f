#include "cli/suggestion.h"

#include <gtest/gtest.h>

namespace air {
namespace {

TEST(SuggestionTest, FindsTheWordThatWasMeant) {
  const std::vector<std::string> verbs = {"find-heads", "score", "select", "report", "inspect"};
  EXPECT_EQ(nearest_word("scroe", verbs), "score");
  EXPECT_EQ(nearest_word("selct", verbs), "select");
  EXPECT_EQ(nearest_word("find_heads", verbs), "find-heads");
  EXPECT_EQ(nearest_word("rapport", verbs), "report");
}

TEST(SuggestionTest, MakesNoWildGuess) {
  const std::vector<std::string> verbs = {"find-heads", "score", "select", "report", "inspect"};
  EXPECT_EQ(nearest_word("train", verbs), "");
  EXPECT_EQ(nearest_word("", verbs), "");
  EXPECT_EQ(nearest_word("score", {}), "");
  EXPECT_EQ(nearest_word(std::string(1'000'000, 's'), verbs), "");
}

}  // namespace
}  // namespace air
