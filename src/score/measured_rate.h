// How fast a machine scores traces, by scoring some.
#pragma once

#include <cstdint>
#include <vector>

#include "score/score_share.h"
#include "score/trace_source.h"

namespace air {

/// Seconds and tokens of what was scored.
struct MeasuredRate {
  double seconds = 0;
  int64_t num_tokens = 0;

  double seconds_per_token() const { return seconds / static_cast<double>(num_tokens); }
};

/// Scores batches of the traces as a run would pack them, which is by length, until time is up:
/// short and long ones have their share of it. The scores are dropped.
/// @param traces one at least   @throws Interrupted
MeasuredRate measure_rate(const LoadedScorer& loaded, const std::vector<PendingTrace>& traces,
                          double most_seconds);

}  // namespace air
