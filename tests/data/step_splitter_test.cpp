#include "data/step_splitter.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/error.h"

namespace air {
namespace {

using Parts = std::vector<std::string>;

Parts cut(std::string_view text, const std::string& rule,
          const std::vector<std::string>& record_steps = {}) {
  Parts out;
  for (const Span& span : split_steps(text, StepRule::parse(rule), record_steps))
    out.emplace_back(
        text.substr(static_cast<size_t>(span.begin), static_cast<size_t>(span.end - span.begin)));
  return out;
}

TEST(StepSplitterTest, ABlankLineEndsAStepAndBelongsToIt) {
  EXPECT_EQ(cut("a\nb\n\nc\n \t\r\n\nd", "blank-line"), (Parts{"a\nb\n\n", "c\n \t\r\n\n", "d"}));
  EXPECT_EQ(cut("a\r\n\r\nb", "blank-line"), (Parts{"a\r\n\r\n", "b"}));
}

TEST(StepSplitterTest, WithoutBlankLinesNewlinesEndSteps) {
  EXPECT_EQ(cut("a\nb\nc", "blank-line"), (Parts{"a\n", "b\n", "c"}));
}

TEST(StepSplitterTest, NewlinesEndStepsInRuns) {
  EXPECT_EQ(cut("a\n\n\nb\nc\n", "newline"), (Parts{"a\n\n\n", "b\n", "c\n"}));
}

TEST(StepSplitterTest, WhiteSpaceAloneIsNoStep) {
  EXPECT_EQ(cut("\n\na\n\nb\n\n \u3000", "blank-line"), (Parts{"\n\na\n\n", "b\n\n \u3000"}));
  EXPECT_EQ(cut(" \n\n ", "blank-line"), (Parts{" \n\n "}));
  EXPECT_EQ(cut("", "blank-line"), Parts{});
}

TEST(StepSplitterTest, ARegexEndsStepsWhereItsMatchEnds) {
  EXPECT_EQ(cut("a;b;;c", "regex:;+"), (Parts{"a;", "b;;", "c"}));
  EXPECT_EQ(cut("One. Wait, two. Wait", "regex:(?=Wait)"), (Parts{"One. ", "Wait, two. ", "Wait"}));
  EXPECT_THROW(StepRule::parse("regex:("), Error);
  EXPECT_THROW(StepRule::parse("regex:"), Error);
  EXPECT_THROW(StepRule::parse("words"), Error);
}

TEST(StepSplitterTest, TheRecordsOwnStepsMustCoverTheResponse) {
  EXPECT_EQ(cut(" a\nb\n\nc ", "record", {"a", "b", "c"}), (Parts{" a\n", "b\n\n", "c "}));
  EXPECT_THROW(cut("a b", "record"), Error);
  EXPECT_THROW(cut("a x b", "record", {"a", "b"}), Error);
  EXPECT_THROW(cut("a b c", "record", {"a", "b"}), Error);
  EXPECT_THROW(cut("a", "record", {"a", "b"}), Error);
}

TEST(SentenceTest, EndsAtMarksBeforeSpace) {
  EXPECT_EQ(cut("It is 3.14. Really?! Yes: \"Stop.\" (Fine.) So", "sentence"),
            (Parts{"It is 3.14. ", "Really?! ", "Yes: \"Stop.\" ", "(Fine.) ", "So"}));
  EXPECT_EQ(cut("这是。好的！」 Yes", "sentence"), (Parts{"这是。", "好的！」 ", "Yes"}));
}

TEST(SentenceTest, NotAtAbbreviationsInitialsAndListNumbers) {
  EXPECT_EQ(cut("See Fig. 3, e.g. Dr. No. 5 or Donald E. Knuth etc. in it. End", "sentence"),
            (Parts{"See Fig. 3, e.g. Dr. No. 5 or Donald E. Knuth etc. in it. ", "End"}));
  EXPECT_EQ(cut("1. First thing\n12. Second", "sentence"),
            (Parts{"1. First thing\n", "12. Second"}));
  EXPECT_EQ(cut("The answer is B. Therefore", "sentence"),
            (Parts{"The answer is B. ", "Therefore"}));
  EXPECT_EQ(cut("\"Why?\" he said... and left. Now", "sentence"),
            (Parts{"\"Why?\" he said... and left. ", "Now"}));
}

TEST(SentenceTest, NotInCodeAndLatex) {
  EXPECT_EQ(cut("Run:\n```py\nx = 1. \n\ny. Z\n```\nDone. Ok", "sentence"),
            (Parts{"Run:\n", "```py\nx = 1. \n\ny. Z\n```\n", "Done. ", "Ok"}));
  EXPECT_EQ(cut("Use `a. B` here. Ok", "sentence"), (Parts{"Use `a. B` here. ", "Ok"}));
  EXPECT_EQ(cut("So $x. Y$ and \\(a. B\\) and $$p. \n Q$$ hold. Ok", "sentence"),
            (Parts{"So $x. Y$ and \\(a. B\\) and $$p. \n Q$$ hold. ", "Ok"}));
  EXPECT_EQ(cut("\\begin{align}a. B\\end{align} holds. Ok", "sentence"),
            (Parts{"\\begin{align}a. B\\end{align} holds. ", "Ok"}));
  EXPECT_EQ(cut("It costs $5.50. Then $6. Ok", "sentence"),
            (Parts{"It costs $5.50. ", "Then $6. ", "Ok"}));
}

TEST(SentenceTest, BracketsThatDoNotCloseProtectNothing) {
  EXPECT_EQ(cut("A \\( b. C ` d. E $x. F", "sentence"),
            (Parts{"A \\( b. ", "C ` d. ", "E $x. ", "F"}));
}

TEST(SentenceTest, IsLinear) {
  for (const std::string unit : {"\\(", "$a", "`", "$ $a ", "\\begin{a}", "a. ", "```\n", "``` `` ",
                                 "$$ $", "\n\n$x", "A. ", ".", "\"?"}) {
    std::string text;
    while (text.size() < 2000000) text += unit;
    const auto start = std::chrono::steady_clock::now();
    cut(text, "sentence");
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 2)
        << unit;
  }
}

}  // namespace
}  // namespace air
