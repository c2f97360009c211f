// What decides the scores of a run.
#pragma once

#include "base/json.h"
#include "heads/head_set.h"
#include "model/causal_lm.h"
#include "score/flags.h"

namespace air {

/// All that decides the scores and their batches: runs that agree in it can continue each other's
/// work.
Json run_identity(const ScoreFlags& flags, const ScoreOptions& options, const CausalLM& model,
                  const HeadSet& heads);

}  // namespace air
