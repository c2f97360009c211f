#include "data/repetition.h"

#include <gtest/gtest.h>

#include <string>

namespace air {
namespace {

std::string times(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(RepetitionTest, IsHigherForTextThatRepeatsItself) {
  EXPECT_GT(repetition_of(times("again and ", 50)),
            5 * repetition_of("Every word of this sentence differs from its neighbours."));
}

TEST(RepetitionTest, LooksAtTheFirst32KiB) {
  const std::string window = times("0123456789abcdef", 2048);
  EXPECT_EQ(repetition_of(window), repetition_of(window + "and then something else"));
  EXPECT_EQ(repetition_of(""), 1);
}

TEST(TopRepetitionTest, IsMostlyRepetitiveAboveOneHalf) {
  EXPECT_EQ(TopRepetition::size_of(1), 1);
  EXPECT_EQ(TopRepetition::size_of(10), 1);
  EXPECT_EQ(TopRepetition::size_of(11), 2);
  TopRepetition top;
  EXPECT_FALSE(top.is_mostly_repetitive());
  top.add(kRepetitive);
  top.add(kRepetitive - 0.001);
  EXPECT_FALSE(top.is_mostly_repetitive());
  top.add(9);
  EXPECT_TRUE(top.is_mostly_repetitive());
}

}  // namespace
}  // namespace air
