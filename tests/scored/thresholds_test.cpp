#include "scored/thresholds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/rng.h"

namespace air {
namespace {

using ::testing::ElementsAre;

TEST(ShortNumberTest, HasTheFewestDigitsInTheGap) {
  EXPECT_EQ(short_number_between(0.498, 0.503), 0.5);
  EXPECT_EQ(short_number_between(-0.31, -0.29), -0.3);
  EXPECT_EQ(short_number_between(1.1, 1.9), 1.9);
  EXPECT_EQ(short_number_between(-1, 1), 1);
}

TEST(ShortNumberTest, TellsNeighbouringDoublesApart) {
  const double high = 0.1, low = std::nextafter(high, 0.0);
  EXPECT_EQ(short_number_between(low, high), high);
  EXPECT_EQ(std::strtod(flag_number(low).c_str(), nullptr), low);
}

TEST(ThresholdsTest, KeepsEqualValuesTogether) {
  const std::vector<ThresholdRow> rows{
      {3, 10, 1.0, 0}, {1, 10, 4.0, 1}, {2, 30, 2.0, 0}, {2, 10, 2.0, 1}};
  const auto all = thresholds(rows, 2, {1, 2, 3, 4});
  ASSERT_EQ(all.size(), 3u) << "2 and 3 lead to the same";
  EXPECT_EQ(all[0].kept, 1);
  EXPECT_EQ(all[1].kept, 3);
  EXPECT_EQ(all[1].tokens, 50);
  EXPECT_DOUBLE_EQ(all[1].base_nll, (10 * 1.0 + 40 * 2.0) / 50);
  EXPECT_THAT(all[1].kept_of_group, ElementsAre(2, 1));
  EXPECT_EQ(all[2].kept, 4);
}

TEST(ThresholdsTest, KeepsWhatItSaysByComparison) {
  Rng rng(3);
  std::vector<ThresholdRow> rows;
  for (int i = 0; i < 500; ++i) {
    // Ties, neighbouring doubles and negative values among them.
    const double value = std::floor(rng.uniform() * 200) / 100 - 1;
    rows.push_back({i % 7 == 0 ? std::nextafter(value, 2.0) : value, 1 + i % 9, 1, 0});
  }
  for (const Threshold& threshold : thresholds(rows, 1, spread_counts(500, 100))) {
    const double read = std::strtod(flag_number(threshold.value).c_str(), nullptr);
    int64_t kept = 0, tokens = 0;
    for (const ThresholdRow& row : rows)
      if (row.value >= read) ++kept, tokens += row.num_tokens;
    EXPECT_EQ(threshold.kept, kept) << threshold.value;
    EXPECT_EQ(threshold.tokens, tokens);
  }
}

TEST(SpreadCountsTest, AsksForAllOfFewAndSomeOfMany) {
  EXPECT_THAT(spread_counts(3, 10), ElementsAre(1, 2, 3));
  const auto counts = spread_counts(100'000, 200);
  EXPECT_LT(counts.size(), 220u);
  EXPECT_EQ(counts.front(), 1);
  EXPECT_EQ(counts.back(), 100'000);
}

}  // namespace
}  // namespace air
