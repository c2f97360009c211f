#include "scored/step_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace air {

namespace {

constexpr double kClamp = 2.0;

double token_mean(std::span<const double> values, std::span<const int64_t> num_tokens) {
  double sum = 0, total = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += values[i] * static_cast<double>(num_tokens[i]);
    total += static_cast<double>(num_tokens[i]);
  }
  return sum / total;
}

/// Deviations from the token-weighted mean in units of the token-weighted standard deviation,
/// clamped; empty when the steps do not differ.
std::vector<double> standardise(std::span<const double> influence,
                                std::span<const int64_t> num_tokens) {
  const double mean = token_mean(influence, num_tokens);
  std::vector<double> z(influence.begin(), influence.end());
  for (double& value : z) value -= mean;
  std::vector<double> squares(z);
  for (double& value : squares) value *= value;
  const double deviation = std::sqrt(token_mean(squares, num_tokens));
  // Below this the differences are rounding, not influence.
  if (!(deviation > 1e-12 * std::max(1.0, std::abs(mean)))) return {};
  for (double& value : z) value = std::clamp(value / deviation, -kClamp, kClamp);
  return z;
}

/// 1 for the top share of the steps by influence (rounded up; ties: the earlier step), 0 for the
/// others.
std::vector<bool> top_steps(std::span<const double> influence, double share) {
  std::vector<size_t> order(influence.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return influence[a] > influence[b]; });
  const auto count = static_cast<size_t>(std::ceil(share * static_cast<double>(influence.size())));
  std::vector<bool> top(influence.size(), false);
  for (size_t i = 0; i < std::min(count, order.size()); ++i) top[order[i]] = true;
  return top;
}

void normalise(std::vector<double>& weights, std::span<const int64_t> num_tokens) {
  const double mean = token_mean(weights, num_tokens);
  for (double& weight : weights) weight /= mean;
}

}  // namespace

StepWeighting::Kind StepWeighting::parse_kind(const std::string& text) {
  if (text == "softmax") return Kind::kSoftmax;
  if (text == "linear") return Kind::kLinear;
  if (text == "top") return Kind::kTop;
  if (text == "none") return Kind::kNone;
  throw Error(ErrorKind::kUsage, "", "unknown kind of step weights \"" + text + "\"",
              "softmax, linear, top or none");
}

void StepWeighting::check() const {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw Error(ErrorKind::kUsage, "", what);
  };
  require(shrinkage >= 0 && shrinkage <= 1e9, "the shrinkage must be from 0 to 1e9");
  // exp(2 / 0.01) is a number still, and puts all the weight on the best steps already.
  require(temperature >= 0.01 && std::isfinite(temperature),
          "the temperature must be 0.01 or more");
  require(slope >= 0 && slope < 0.5, "the slope must be at least 0 and below 0.5");
  require(top_share > 0 && top_share <= 1, "the top share must be above 0 and at most 1");
  require(low >= 1e-9 && high >= low && high <= 1e9,
          "the high and the low weight must be from 1e-9 to 1e9, high not below low");
}

std::vector<double> step_weights(std::span<const double> influence,
                                 std::span<const int64_t> num_tokens,
                                 const StepWeighting& weighting) {
  AIR_CHECK(!influence.empty() && influence.size() == num_tokens.size());
  std::vector<double> weights(influence.size(), 1.0);
  if (weighting.kind == StepWeighting::Kind::kNone || influence.size() == 1) return weights;
  const std::vector<double> z = standardise(influence, num_tokens);
  if (z.empty()) return weights;
  switch (weighting.kind) {
    case StepWeighting::Kind::kSoftmax:
      for (size_t i = 0; i < z.size(); ++i) weights[i] = std::exp(z[i] / weighting.temperature);
      break;
    case StepWeighting::Kind::kLinear:
      for (size_t i = 0; i < z.size(); ++i) weights[i] = 1.0 + weighting.slope * z[i];
      break;
    case StepWeighting::Kind::kTop: {
      const std::vector<bool> top = top_steps(influence, weighting.top_share);
      for (size_t i = 0; i < z.size(); ++i) weights[i] = top[i] ? weighting.high : weighting.low;
      break;
    }
    case StepWeighting::Kind::kNone:
      break;
  }
  normalise(weights, num_tokens);
  return weights;
}

}  // namespace air
