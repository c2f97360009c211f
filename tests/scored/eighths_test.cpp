#include "scored/eighths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace air {
namespace {

using ::testing::ElementsAre;

TEST(EighthsTest, AreRanks) {
  EXPECT_THAT(eighths({10, -3, 0.5, 100, 7, 8, 9, 6}), ElementsAre(6, 0, 1, 7, 3, 4, 5, 2));
  EXPECT_THAT(eighths({}), ElementsAre());
}

TEST(EighthsTest, EqualNumbersShareTheMiddle) {
  EXPECT_THAT(eighths({2, 2, 2}), ElementsAre(4, 4, 4));
  EXPECT_THAT(eighths({5}), ElementsAre(4));
}

}  // namespace
}  // namespace air
