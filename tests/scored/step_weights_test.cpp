#include "scored/step_weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "scored/losses.h"

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

// Ten steps of the trace's average divergence and loss but for noise, and one of two tokens whose
// loss is near 0.
TEST(StepWeightsTest, ShortStepsOfLittleLossDoNotDominate) {
  std::vector<SpanScore> steps(10, SpanScore{.num_tokens = 40, .base_nll = 0.5, .ref_nll = 0.6});
  steps[3].ref_nll = 0.8;  // a long step that needs retrieval
  steps.push_back({.num_tokens = 2,
                   .base_nll = 0.001,
                   .ref_nll = 0.201});  // ratio 4 at the floor, out of 0.4 nats in all
  SpanScore trace;
  for (const SpanScore& step : steps) {
    const auto n = static_cast<double>(step.num_tokens);
    trace.num_tokens += step.num_tokens;
    trace.base_nll += n * step.base_nll;
    trace.ref_nll += n * step.ref_nll;
  }
  trace.base_nll /= static_cast<double>(trace.num_tokens);
  trace.ref_nll /= static_cast<double>(trace.num_tokens);
  const auto weights_with = [&](double shrinkage) {
    std::vector<double> influence;
    std::vector<int64_t> num_tokens;
    for (const SpanScore& step : steps) {
      influence.push_back(shrunk_towards(step, trace, shrinkage).influence(0.05));
      num_tokens.push_back(step.num_tokens);
    }
    return step_weights(influence, num_tokens, {});
  };
  const std::vector<double> bare = weights_with(0),
                            shrunk = weights_with(StepWeighting{}.shrinkage);
  EXPECT_GT(bare[10], 2 * bare[0]);
  EXPECT_GE(bare[10], bare[3]);
  EXPECT_GT(shrunk[3], 2 * shrunk[10]);
  EXPECT_NEAR(shrunk[10], 1, 0.1);  // two tokens say little: it weighs as the trace does
}

TEST(StepWeightsTest, TopShareWeighsMore) {
  const std::vector<double> influence = {0.1, 0.4, 0.2, 0.3};
  const std::vector<int64_t> num_tokens(4, 1);
  const std::vector<double> weights = step_weights(
      influence, num_tokens, {.kind = Kind::kTop, .top_share = 0.5, .high = 3, .low = 1});
  EXPECT_EQ(weights, std::vector<double>({0.5, 1.5, 0.5, 1.5}));
}

TEST(StepWeightsTest, RefusesParametersOutOfRange) {
  EXPECT_THROW((StepWeighting{.shrinkage = -1}.check()), Error);
  EXPECT_THROW((StepWeighting{.shrinkage = std::nan("")}.check()), Error);
  EXPECT_THROW((StepWeighting{.shrinkage = 1e308}.check()), Error);
  EXPECT_THROW((StepWeighting{.temperature = 0}.check()), Error);
  EXPECT_THROW((StepWeighting{.temperature = 1e-320}.check()), Error);
  EXPECT_THROW((StepWeighting{.high = 1e308}.check()), Error);
  EXPECT_THROW((StepWeighting{.slope = 0.5}.check()), Error);
  EXPECT_THROW((StepWeighting{.low = 0}.check()), Error);
  EXPECT_THROW(StepWeighting::parse_kind("sofmax"), Error);
}

TEST(StepWeightsTest, AreNumbersAtTheEndsOfTheParameters) {
  const std::vector<double> influence = {1e30, -1e30, 0, 1};
  const std::vector<int64_t> num_tokens = {1, 2'000'000'000, 3, 4};
  for (StepWeighting weighting :
       {StepWeighting{.temperature = 0.01}, StepWeighting{.temperature = 1e308},
        StepWeighting{.kind = StepWeighting::Kind::kTop, .high = 1e9, .low = 1e-9}}) {
    weighting.check();
    for (const double weight : step_weights(influence, num_tokens, weighting))
      EXPECT_TRUE(std::isfinite(weight)) << weight;
  }
}

}  // namespace
}  // namespace air
