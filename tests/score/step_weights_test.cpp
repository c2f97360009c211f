#include "air/score/step_weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "air/base/error.h"
#include "air/base/rng.h"

namespace air {
namespace {

using Kind = StepWeighting::Kind;

TEST(StepWeightsTest, TokenWeightedMeanIsOneAndEveryWeightIsPositive) {
  Rng rng(3);
  for (const Kind kind : {Kind::kSoftmax, Kind::kLinear, Kind::kTop, Kind::kNone}) {
    for (int round = 0; round < 200; ++round) {
      std::vector<double> influence;
      std::vector<int64_t> num_tokens;
      for (uint64_t i = 0, n = 1 + rng.below(12); i < n; ++i) {
        influence.push_back(rng.uniform() * 40 - 10);
        num_tokens.push_back(static_cast<int64_t>(1 + rng.below(50)));
      }
      const std::vector<double> weights = step_weights(influence, num_tokens, {.kind = kind});
      double sum = 0, total = 0;
      for (size_t i = 0; i < weights.size(); ++i) {
        EXPECT_GT(weights[i], 0.0);
        sum += weights[i] * static_cast<double>(num_tokens[i]);
        total += static_cast<double>(num_tokens[i]);
      }
      EXPECT_NEAR(sum / total, 1.0, 1e-12);
    }
  }
}

TEST(StepWeightsTest, OneStepOrEqualStepsWeighOne) {
  const std::vector<double> one = {5.0}, equal = {0.1 + 0.2, 0.3, 0.3};
  const std::vector<int64_t> n1 = {7}, n3 = {1, 2, 3};
  EXPECT_EQ(step_weights(one, n1, {}), std::vector<double>({1.0}));
  EXPECT_EQ(step_weights(equal, n3, {}), std::vector<double>({1.0, 1.0, 1.0}));
}

// By hand: tokens 1 and 1, z = ±1, softmax e and 1/e over their mean.
TEST(StepWeightsTest, SoftmaxOfStandardisedInfluence) {
  const std::vector<double> influence = {0.9, 0.1};
  const std::vector<int64_t> num_tokens = {4, 4};
  const std::vector<double> weights = step_weights(influence, num_tokens, {});
  EXPECT_NEAR(weights[0] / weights[1], std::exp(2.0), 1e-9);
  const std::vector<double> flat = step_weights(influence, num_tokens, {.temperature = 4.0});
  EXPECT_NEAR(flat[0] / flat[1], std::exp(0.5), 1e-9);
}

TEST(StepWeightsTest, OneWildStepIsBounded) {
  const std::vector<double> influence = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1000};
  const std::vector<int64_t> num_tokens(10, 5);
  const std::vector<double> weights = step_weights(influence, num_tokens, {});
  EXPECT_LE(weights[9] / weights[0], std::exp(4.0) + 1e-9);  // z is clamped to ±2
}

TEST(StepWeightsTest, TopShareWeighsMore) {
  const std::vector<double> influence = {0.1, 0.4, 0.2, 0.3};
  const std::vector<int64_t> num_tokens(4, 1);
  const std::vector<double> weights =
      step_weights(influence, num_tokens, {.kind = Kind::kTop, .top_share = 0.5, .high = 3, .low = 1});
  EXPECT_EQ(weights, std::vector<double>({0.5, 1.5, 0.5, 1.5}));
}

TEST(StepWeightsTest, RefusesParametersOutOfRange) {
  EXPECT_THROW((StepWeighting{.temperature = 0}.check()), Error);
  EXPECT_THROW((StepWeighting{.slope = 0.5}.check()), Error);
  EXPECT_THROW((StepWeighting{.low = 0}.check()), Error);
  EXPECT_THROW(StepWeighting::parse_kind("sofmax"), Error);
}

}  // namespace
}  // namespace air
