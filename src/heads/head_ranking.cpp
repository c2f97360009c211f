#include "heads/head_ranking.h"

#include <algorithm>
#include <cmath>

namespace air {

HeadSet rank_heads(const HeadScores& scores) {
  HeadSet heads = scores.grid().all_heads();
  std::stable_sort(heads.begin(), heads.end(),
                   [&](Head a, Head b) { return scores[a] > scores[b]; });
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
  cut_off.last_in = scores[ranking[num_in - 1]];
  if (num_in < ranking.size()) cut_off.first_out = scores[ranking[num_in]];
  for (size_t i = 0; i < ranking.size(); ++i) {
    const double score = scores[ranking[i]];
    cut_off.num_tied += score == cut_off.last_in;
    cut_off.num_zero += score == 0;
    cut_off.num_zero_in += score == 0 && i < num_in;
  }
  return cut_off;
}

}  // namespace air
