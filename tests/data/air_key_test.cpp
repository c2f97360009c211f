#include "data/air_key.h"

#include <gtest/gtest.h>

namespace air {
namespace {

TEST(WithoutAirTest, TakesTheKeyAndOneComma) {
  EXPECT_EQ(without_air(R"({"a":1,"air":{"x":[1,{"air":2}]}})"), R"({"a":1})");
  EXPECT_EQ(without_air(R"({"air":1, "a":"},\"air\":"})"), R"({ "a":"},\"air\":"})");
  EXPECT_EQ(without_air(R"( {"a":1 , "air" : "q" , "b":[2,3]} )"), R"( {"a":1 , "b":[2,3]} )");
  EXPECT_EQ(without_air(R"({"air":1})"), R"({})");
}

TEST(WithoutAirTest, KnowsTheNameWrittenWithEscapes) {
  EXPECT_EQ(without_air(R"({"\u0061ir":1,"b":2})"), R"({"b":2})");
}

TEST(WithoutAirTest, LeavesOtherRecordsAlone) {
  for (const char* line :
       {R"({})", R"({"a":{"air":1}})", R"({"airs":1,"b":"air"})", R"({"\ud800":1})"})
    EXPECT_EQ(without_air(line), line);
}

}  // namespace
}  // namespace air
