#include "scored/scored_line.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace air {
namespace {

TEST(SetRankTest, ChangesTheDigitsOfTheTracesRankAlone) {
  const std::string before =
      R"({"rank":4,"id":"\u0061","big":1e400,"air":{"schema":"air.score/1",)";
  const std::string after = R"("num_tokens":3,"steps":[{"rank":4}]},"x" : "rank"})";
  EXPECT_EQ(set_rank(before + "\"rank\":4," + after, 1234), before + "\"rank\":1234," + after);
  EXPECT_THROW(set_rank(R"({"rank":4})", 1), Error);
}

TEST(SetRankTest, ReadsLinesThatAnotherProgramWroteAnew) {
  const std::string before = R"({"air": {"line": 3, "schema": "air.score/1")",
                    after = R"(, "influence": 1.5}, "id": "a"})";
  EXPECT_EQ(set_rank(before + after, 7), before + ",\"rank\":7" + after);
  EXPECT_THROW(set_rank(R"({"air":{"line":3}})", 7), Error);
}

TEST(SetRankTest, GivesTheAirObjectOneAfterItsSchema) {
  const std::string line =
      R"({"note":"\"air\":{\"schema\":\"air.score/1\",","air":{"schema":"air.score/1","line":1,"x":[{"y":2}]} } )";
  const std::string ranked =
      R"({"note":"\"air\":{\"schema\":\"air.score/1\",","air":{"schema":"air.score/1","rank":7,"line":1,"x":[{"y":2}]} } )";
  EXPECT_EQ(set_rank(line, 7), ranked);
  EXPECT_EQ(set_rank(ranked, 7), ranked);
  EXPECT_EQ(find_air_object(line), R"({"schema":"air.score/1","line":1,"x":[{"y":2}]})");
  EXPECT_EQ(find_air_object(R"({"id":1})"), "");
}

TEST(AirValueTest, IsFoundWhateverAnotherProgramPutAfterIt) {
  const std::string air = R"({"schema":"air.score/1","line":1,"x":[{"y":2}],"t":"}\"{{\\"})";
  for (const std::string rest :
       {"", " ", R"(,"b":1)", R"(,"b":{"c":{}})", R"(,"b":{"air":{"schema":"air.score/1","n":1}})"})
    EXPECT_EQ(air_value_of(R"({"a":1,"air":)" + air + rest + "}"), air) << rest;
  EXPECT_THROW(air_value_of(R"({"a":1,"air":)" + air), Error) << "a torn line";
}

}  // namespace
}  // namespace air
