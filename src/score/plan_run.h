// `air score --plan N`: what scoring will cost, and how even N shards of it are.
#pragma once

#include "score/flags.h"
#include "score/score_options.h"

namespace air {

/// Measures lines, scores a sample of them on the device for some seconds, and writes tokens and
/// estimated seconds of each shard and of the whole run (docs/scale.md, "A plan").
/// @throws Error(kUsage) for inputs that can be read only once; Error(kInput) when they hold no
/// trace.
void plan_scores(const ScoreFlags& flags, const ScoreOptions& options);

/// @throws Error(kUsage) for flags that a plan has no use for.
void check_plan(const ScoreFlags& flags);

}  // namespace air
