#include "heads/head_ranking.h"

#include <algorithm>
#include <cmath>

namespace air {
namespace {

double score_of(const HeadScores& scores, Head head) {
  return scores[static_cast<size_t>(head.layer)][static_cast<size_t>(head.head)];
}

}  // namespace

HeadSet rank_heads(const HeadScores& scores) {
  HeadSet heads;
  for (size_t layer = 0; layer < scores.size(); ++layer)
    for (size_t head = 0; head < scores[layer].size(); ++head)
      heads.push_back({static_cast<int64_t>(layer), static_cast<int64_t>(head)});
  std::stable_sort(heads.begin(), heads.end(),
                   [&](Head a, Head b) { return score_of(scores, a) > score_of(scores, b); });
  return heads;
}

int64_t critical_count(double fraction, int64_t num_heads) {
  // 0.1 · 270 is a little above 27 in binary; that is not a reason to take 28.
  constexpr double kRounding = 1e-9;
  return static_cast<int64_t>(std::ceil(fraction * static_cast<double>(num_heads) - kRounding));
}

HeadSet critical_set(const HeadScores& scores, int64_t count) {
  HeadSet heads = rank_heads(scores);
  heads.resize(std::min(heads.size(), static_cast<size_t>(count)));
  return heads;
}

CutOff describe_cut_off(const HeadScores& scores, int64_t count) {
  const HeadSet ranking = rank_heads(scores);
  const auto num_in = std::min(ranking.size(), static_cast<size_t>(count));
  CutOff cut_off;
  if (num_in == 0) return cut_off;
  cut_off.last_in = score_of(scores, ranking[num_in - 1]);
  if (num_in < ranking.size()) cut_off.first_out = score_of(scores, ranking[num_in]);
  for (size_t i = 0; i < ranking.size(); ++i) {
    const double score = score_of(scores, ranking[i]);
    cut_off.num_tied += score == cut_off.last_in;
    cut_off.num_zero += score == 0;
    cut_off.num_zero_in += score == 0 && i < num_in;
  }
  return cut_off;
}

}  // namespace air
