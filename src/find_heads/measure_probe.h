// Probes through the model: which are answered, and which heads copy.
#pragma once

#include <vector>

#include "find_heads/probe.h"
#include "heads/head_scores.h"
#include "model/causal_lm.h"

namespace air {

/// What a model does with a probe, the gold answer given.
struct ProbeResult {
  HeadScores scores;  ///< retrieval score of every head
  double recall = 0;  ///< share of answer positions where the model's top-1 token is the gold token
  double nll = 0;     ///< mean loss of the answer tokens, nats
  bool answered() const { return recall >= kAnsweredRecall; }

  static constexpr double kAnsweredRecall = 0.5;
};

/// Probes in one pass, none of which sees another. Memory: that of the pass, and the rows of one
/// probe in one layer, [H, answer tokens, T].
std::vector<ProbeResult> measure_probes(const CausalLM& model,
                                        const std::vector<const Probe*>& probes);

/// Mean over the answered probes. @throws Error(kModel) when none is answered.
HeadScores mean_scores(const std::vector<ProbeResult>& results);

}  // namespace air
