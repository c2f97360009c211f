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

/// Ranks from 1; ties share the mean of their ranks.
std::vector<double> average_ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t last = first;
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (size_t i = first; i < last; ++i)
      ranks[order[i]] = 0.5 * static_cast<double>(first + 1 + last);
    first = last;
  }
  return ranks;
}

}  // namespace

double SpanScore::influence(double loss_floor) const {
  return divergence() / std::max(base_nll, loss_floor);
}

double SpanScore::ranked_by(InfluenceKind kind, double loss_floor) const {
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

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  AIR_CHECK(a.size() == b.size());
  if (a.size() < 2) return 0;
  const std::vector<double> x = average_ranks(a);
  const std::vector<double> y = average_ranks(b);
  const double center = 0.5 * static_cast<double>(a.size() + 1);
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - center) * (y[i] - center);
    xx += (x[i] - center) * (x[i] - center);
    yy += (y[i] - center) * (y[i] - center);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

}  // namespace air
