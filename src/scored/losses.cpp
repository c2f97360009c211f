#include "scored/losses.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace air {

namespace {

double mean(const std::vector<double>& values, int64_t begin, int64_t end) {
  return std::accumulate(values.begin() + begin, values.begin() + end, 0.0) /
         static_cast<double>(end - begin);
}

/// The tokens that are left of a span.
TokenScores without(const TokenScores& tokens, int64_t begin, int64_t end,
                    const std::vector<bool>& excluded) {
  const auto left = [&](const std::vector<double>& values) {
    std::vector<double> kept;
    if (values.empty()) return kept;  // no controls
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      if (!excluded[i]) kept.push_back(values[i]);
    return kept;
  };
  return {left(tokens.base_nll), left(tokens.ref_nll), left(tokens.entropy),
          left(tokens.control_nll)};
}

}  // namespace

double SpanScore::influence(double loss_floor) const {
  return divergence() / std::max(base_nll, loss_floor);
}

double SpanScore::ranking_score(InfluenceKind kind, double loss_floor) const {
  return kind == InfluenceKind::kRelative ? influence(loss_floor) : divergence();
}

SpanScore shrunk_towards(const SpanScore& step, const SpanScore& trace, double num_tokens) {
  if (num_tokens == 0) return step;
  const double own =
      static_cast<double>(step.num_tokens) / (static_cast<double>(step.num_tokens) + num_tokens);
  const auto mix = [&](double of_step, double of_trace) {
    return own * of_step + (1 - own) * of_trace;
  };
  SpanScore score = step;
  score.base_nll = mix(step.base_nll, trace.base_nll);
  score.ref_nll = mix(step.ref_nll, trace.ref_nll);
  score.entropy = mix(step.entropy, trace.entropy);
  score.control_nll = mix(step.control_nll, trace.control_nll);
  return score;
}

SpanScore mean_over(const TokenScores& tokens, int64_t begin, int64_t end) {
  AIR_CHECK(begin < end && end <= static_cast<int64_t>(tokens.base_nll.size()));
  SpanScore score;
  score.num_tokens = end - begin;
  score.base_nll = mean(tokens.base_nll, begin, end);
  score.ref_nll = mean(tokens.ref_nll, begin, end);
  score.entropy = mean(tokens.entropy, begin, end);
  if (!tokens.control_nll.empty()) score.control_nll = mean(tokens.control_nll, begin, end);
  return score;
}

SpanScore mean_over(const TokenScores& tokens, int64_t begin, int64_t end,
                    const std::vector<bool>& excluded) {
  AIR_CHECK(begin < end && end <= static_cast<int64_t>(excluded.size()));
  const TokenScores kept = without(tokens, begin, end, excluded);
  const auto count = static_cast<int64_t>(kept.base_nll.size());
  SpanScore score;
  if (count > 0) score = mean_over(kept, 0, count);
  score.num_excluded = end - begin - count;
  return score;
}

}  // namespace air
