// A batch for which memory runs out is scored in halves.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/trace.h"
#include "scored/losses.h"

namespace air {

/// Scores traces together, results in their order: Scorer::score.
using ScoreFunction = std::function<std::vector<TokenScores>(std::span<const Trace* const>)>;

/// Results in the order of the traces; none for a trace that does not fit even alone.
struct SplitScores {
  std::vector<std::optional<TokenScores>> results;
  int64_t num_splits = 0;  ///< how often memory ran out for more than one trace
  std::string cause;       ///< first line of the last message about it; empty: memory never ran out
};

/// Scores a batch; where memory runs out, each half of it by itself, down to single traces. Halves
/// are packed differently: their losses differ from the whole batch's by rounding only. All other
/// exceptions pass through.
SplitScores score_within_memory(std::span<const Trace* const> traces, const ScoreFunction& score);

}  // namespace air
