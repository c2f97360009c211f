#include "scored/scored_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace air {
namespace {

std::string line(const std::string& tokens) {
  return R"({"id":"t","air":{"schema":"air.score/1","num_tokens":2)" + tokens + "}}";
}

TEST(ScoredTokensTest, ReadsWhatIsThere) {
  EXPECT_FALSE(read_scored_tokens(line("")));
  const auto tokens = read_scored_tokens(
      line(R"(,"tokens":{"ids":[5,6],"begin":[0,3],"base_nll":[1,0.5],"ref_nll":[2,1],)"
           R"("entropy":[0,0]})"));
  ASSERT_TRUE(tokens);
  EXPECT_THAT(tokens->begin, testing::ElementsAre(0, 3));
  EXPECT_THAT(tokens->ref_nll, testing::ElementsAre(2, 1));
}

TEST(ScoredTokensTest, RefusesTornLists) {
  EXPECT_THROW(read_scored_tokens(line(R"(,"tokens":{"begin":[0,3],"base_nll":[1,0.5]})")), Error);
  EXPECT_THROW(read_scored_tokens(
                   line(R"(,"tokens":{"begin":[0],"base_nll":[1,2],"ref_nll":[1],"entropy":[0]})")),
               Error);
  EXPECT_THROW(
      read_scored_tokens(
          line(R"(,"tokens":{"begin":[3,0],"base_nll":[1,2],"ref_nll":[1,2],"entropy":[0,0]})")),
      Error);
}

}  // namespace
}  // namespace air
