#include "find_heads/retrieval_score.h"

#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "find_heads/measure_probe.h"

namespace air {
namespace {

using ::testing::ElementsAre;

/// "9 [5 6 7 5] 9 | 5 6 7 5": a needle of three distinct tokens, one of them twice.
Probe small_probe() {
  Probe probe;
  probe.ids = {9, 5, 6, 7, 5, 9, 5, 6, 7, 5};
  probe.needle = {1, 5};
  probe.answer = {6, 10};
  return probe;
}

double score(std::vector<int64_t> peaks, const Probe& probe = small_probe()) {
  return retrieval_score(peaks, probe);
}

TEST(RetrievalScoreTest, IsOneWhenEveryTokenIsCopied) { EXPECT_EQ(score({1, 2, 3, 4}), 1); }

TEST(RetrievalScoreTest, CountsADistinctTokenOnce) {
  // Token 5 twice is one of three; the other occurrence of 5 in the needle serves as well.
  EXPECT_EQ(score({1, 0, 0, 4}), 1.0 / 3);
  EXPECT_EQ(score({4, 0, 0, 0}), 1.0 / 3);
  EXPECT_EQ(score({1, 2, 0, 1}), 2.0 / 3);
}

TEST(RetrievalScoreTest, NeedsAKeyThatHoldsTheToken) {
  EXPECT_EQ(score({2, 3, 1, 3}), 0);  // inside the needle, but on other tokens
}

TEST(RetrievalScoreTest, NeedsAKeyInsideTheNeedle) {
  Probe probe = small_probe();
  probe.ids[0] = 5;  // the token also stands before the needle
  probe.ids[5] = 5;  // and after it
  EXPECT_EQ(score({0, 2, 3, 5}, probe), 2.0 / 3);
  EXPECT_EQ(score({5, 0, 0, 0}, probe), 0);
}

TEST(RetrievalScoreTest, IgnoresAnswerTokensThatTheNeedleLacks) {
  Probe probe = small_probe();
  probe.ids[7] = 8;  // the answer says 8 where the needle says 6
  EXPECT_EQ(score({1, 2, 3, 4}, probe), 2.0 / 3);
}

TEST(RetrievalScoreTest, ScoresEveryHeadOfALayer) {
  const at::Tensor peaks = at::tensor({1, 2, 3, 4, 0, 0, 0, 0, 1, 2, 0, 0}, at::kLong).view({3, 4});
  EXPECT_THAT(retrieval_scores(peaks, small_probe()), ElementsAre(1, 0, 2.0 / 3));
}

TEST(RowPeaksTest, TakesTheLowestOfEqualKeys) {
  const at::Tensor rows =
      at::tensor({0.2, 0.4, 0.4, 0.0, 0.25, 0.25, 0.25, 0.25}, at::kFloat).view({1, 2, 4});
  const at::Tensor peaks = row_peaks(rows);
  EXPECT_EQ(peaks[0][0].item<int64_t>(), 1);
  EXPECT_EQ(peaks[0][1].item<int64_t>(), 0);
}

TEST(RowPeaksTest, TakesTheLowestOfEqualKeysInLongRows) {
  // Long enough for the vectorised and threaded paths of argmax.
  at::Tensor rows = at::zeros({2, 3, 70001}, at::kFloat);
  rows[1][2][40000] = 1;
  rows[1][2][60000] = 1;
  const at::Tensor peaks = row_peaks(rows);
  EXPECT_EQ(peaks[0][0].item<int64_t>(), 0);
  EXPECT_EQ(peaks[1][2].item<int64_t>(), 40000);
}

ProbeResult result_of(double recall, const std::vector<std::vector<double>>& scores) {
  ProbeResult result;
  result.recall = recall;
  result.scores = HeadScores(scores);
  return result;
}

TEST(MeanScoresTest, LeavesOutUnansweredProbes) {
  const HeadScores mean = mean_scores(
      {result_of(1, {{1, 0}}), result_of(0.49, {{0, 1}}), result_of(0.5, {{0.5, 0.25}})});
  EXPECT_THAT(mean.layers(), ElementsAre(ElementsAre(0.75, 0.125)));
}

TEST(MeanScoresTest, SaysThatNothingWasAnswered) {
  try {
    mean_scores({result_of(0, {{1}}), result_of(0.25, {{1}})});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kModel);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("none of the 2 probes"));
  }
}

}  // namespace
}  // namespace air
