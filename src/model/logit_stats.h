// Running statistics of one row of logits that is seen piece by piece.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace air {

/// Online softmax statistics (Milakov and Gimelshein 2018, arXiv:1805.02867), with the entropy's
/// sum beside them.
struct LogitStats {
  float max = -std::numeric_limits<float>::infinity();
  int32_t top1 = -1;    ///< where the maximum stands first
  double sum_exp = 0;   ///< Σ e^(x − max)
  double weighted = 0;  ///< Σ (x − max) e^(x − max)

  double log_sum_exp() const { return static_cast<double>(max) + std::log(sum_exp); }
  double entropy() const { return std::log(sum_exp) - weighted / sum_exp; }
};

/// Takes in `count` logits of the tokens first_id, first_id + 1, …; vectorised for the processor
/// that runs it.
void accumulate_logits(const float* logits, int64_t count, int32_t first_id, LogitStats& stats);

}  // namespace air
