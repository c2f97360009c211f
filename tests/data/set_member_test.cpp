#include "data/set_member.h"

#include <gtest/gtest.h>

namespace air {
namespace {

TEST(SetMemberTest, ChangesNothingButTheEnd) {
  EXPECT_EQ(set_member(R"( {"a" : 1e400 } )", "air", "{}"), R"( {"a" : 1e400 ,"air":{}} )");
  EXPECT_EQ(set_member("{}\r", "air", "1"), "{\"air\":1}\r");
  EXPECT_EQ(set_member("{ }", "air", "1"), "{ \"air\":1}");
  EXPECT_EQ(set_member(R"({"a":"}"})", "air", "1"), R"({"a":"}","air":1})");
  EXPECT_EQ(set_member(R"({"a":{"air":0}})", "air", "1"), R"({"a":{"air":0},"air":1})");
}

TEST(SetMemberTest, TakesTheEarlierOneAndOneComma) {
  EXPECT_EQ(set_member(R"({"a":1,"air":{"x":[1,{"air":2}]}})", "air", "7"), R"({"a":1,"air":7})");
  EXPECT_EQ(set_member(R"({"air":1, "a":"},\"air\":"})", "air", "7"),
            R"({ "a":"},\"air\":","air":7})");
  EXPECT_EQ(set_member(R"( {"a":1 , "air" : "q" , "b":[2,3]} )", "air", "7"),
            R"( {"a":1 , "b":[2,3],"air":7} )");
  EXPECT_EQ(set_member(R"({"air":1})", "air", "7"), R"({"air":7})");
  EXPECT_EQ(set_member(R"({"air": [1,{"x":"]"}] ,"b":2})", "air", "7"), R"({"b":2,"air":7})");
}

TEST(SetMemberTest, KnowsTheNameWrittenWithEscapes) {
  EXPECT_EQ(set_member(R"({"\u0061ir":1,"b":2})", "air", "7"), R"({"b":2,"air":7})");
  EXPECT_EQ(set_member(R"({"\u0061ir":null})", "air", "7"), R"({"air":7})");
}

TEST(SetMemberTest, LeavesOtherMembersAlone) {
  EXPECT_EQ(set_member(R"({"airs":1,"b":"air"})", "air", "7"), R"({"airs":1,"b":"air","air":7})");
  EXPECT_EQ(set_member(R"({"\ud800":1})", "air", "7"), R"({"\ud800":1,"air":7})");
}

}  // namespace
}  // namespace air
