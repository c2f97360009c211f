#include "text/regex.h"

#include <gtest/gtest.h>

namespace air {
namespace {

std::string all_matches(const Regex& regex, std::string_view text) {
  std::string out;
  for (size_t from = 0; const auto match = regex.find(text, from);) {
    out += "[" + std::string(text.substr(match->begin, match->end - match->begin)) + "]";
    if (match->empty()) break;
    from = match->end;
  }
  return out;
}

TEST(RegexTest, SpaceIsUnicodesWhiteSpaceNotPcre2s) {
  EXPECT_FALSE(Regex("\\s", "t").find("\u180e", 0));
  EXPECT_FALSE(Regex("[\\s]", "t").find("\u180e", 0));
  for (const char* space : {" ", "\t", "\v", "\u0085", "\u00a0", "\u2028", "\u3000"}) {
    EXPECT_TRUE(Regex("\\s", "t").find(space, 0)) << space;
    EXPECT_FALSE(Regex("\\S", "t").find(space, 0)) << space;
    EXPECT_FALSE(Regex("[\\S]", "t").find(space, 0)) << space;
  }
  EXPECT_EQ(all_matches(Regex("[^\\s\\p{L}]+", "t"), "a\u180e\u200b b"), "[\u180e\u200b]");
}

TEST(RegexTest, WordCharactersIncludeMarks) {
  EXPECT_EQ(all_matches(Regex("\\w+", "t"), "e\u0301x_1-y"), "[e\u0301x_1][y]");
  EXPECT_EQ(all_matches(Regex("\\bx", "t"), "e\u0301x x"), "[x]");
}

TEST(RegexTest, CaretMatchesAtEveryLineAsInOniguruma) {
  EXPECT_EQ(all_matches(Regex("^a", "t"), "a\na"), "[a][a]");
}

TEST(RegexTest, RefusesWhatMeansSomethingElse) {
  for (const char* pattern : {"\\h", "[a&&b]", "\\p{N}{1,3}+", "[[:alpha:]]", "\\Z", "\\K", "(",
                              "[a\\W]", "\\u12", "(*NO_JIT)a", "(*LIMIT_MATCH=4000000000)a"})
    EXPECT_THROW(Regex(pattern, "t"), Error) << pattern;
}

TEST(RegexTest, EndlessBacktrackingIsAnErrorOfTheText) {
  const Regex regex("(a+)+$", "t");
  EXPECT_TRUE(regex.find(std::string(40, 'a'), 0));
  try {
    regex.find(std::string(40, 'a') + "b", 0);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    EXPECT_STREQ(e.what(), "the tokenizer's pattern fails on this text: match limit exceeded");
  }
}

TEST(RegexTest, UserPatternsArePcre2s) {
  EXPECT_EQ(all_matches(Regex::pcre2("^\\h+a", "t"), " a\n a"), "[ a]");
  try {
    Regex::pcre2("(", "--steps");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_EQ(e.where(), "--steps");
  }
}

TEST(RegexTest, FindsInAMillionSpaces) {
  const std::string text(1000000, ' ');
  const auto match = Regex("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "t").find(text, 0);
  ASSERT_TRUE(match);
  EXPECT_EQ(match->end, text.size());
}

}  // namespace
}  // namespace air
