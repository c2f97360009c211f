// Heads by retrieval score, and the critical set: the top of that ranking.
#pragma once

#include <cstdint>

#include "heads/head_scores.h"
#include "heads/head_set.h"

namespace air {

/// All heads, best first; ties by (layer, head).
HeadSet rank_heads(const HeadScores& scores);

/// Size of the top fraction of `num_heads` heads, rounded up. @param fraction above 0, at most 1.
int64_t critical_count(double fraction, int64_t num_heads);

/// The first `count` heads of the ranking.
HeadSet critical_set(const HeadScores& scores, int64_t count);

/// How sharply the ranking separates the critical set from the rest.
struct CutOff {
  double last_in = 0;       ///< the lowest score inside
  double first_out = 0;     ///< the highest score outside; 0 when nothing is outside
  int64_t num_tied = 0;     ///< heads, inside and outside, whose score is `last_in`
  int64_t num_zero_in = 0;  ///< heads inside with score 0
  int64_t num_zero = 0;     ///< heads of the model with score 0
};
CutOff describe_cut_off(const HeadScores& scores, int64_t count);

}  // namespace air
