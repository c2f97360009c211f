// Traces in batches, and what a scored trace is written as: the same in every run of `air score`.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "score/score_options.h"
#include "score/scorer.h"
#include "score/split_batch.h"
#include "score/trace_source.h"
#include "scored/losses.h"

namespace air {

/// Traces that are scored together.
using TraceBatch = std::vector<const PendingTrace*>;

/// The scores of a trace as they are written and as they rank.
struct WrittenScore {
  std::string air;  ///< the value of the key `air`, without a rank
  SpanScore total;
};

/// Packs and scores. Both must outlive it.
class BatchScorer {
 public:
  BatchScorer(Scorer& scorer, const ScoreOptions& options) : scorer_(scorer), options_(options) {}

  /// Packed under the token budget (packer.h); every trace exactly once.
  std::vector<TraceBatch> make_batches(const std::vector<PendingTrace>& traces) const;
  std::vector<TraceBatch> make_batches(const TraceBatch& traces) const;
  /// A trace for which there is no memory has no result.
  SplitScores score(const TraceBatch& batch);
  /// @throws Error(kModel) when a loss is not a finite number.
  WrittenScore write(const PendingTrace& pending, const TokenScores& tokens) const;
  /// Arithmetic of all batches so far.
  double flops() const { return scorer_.flops(); }

 private:
  Scorer& scorer_;
  const ScoreOptions& options_;
};

/// Why a trace has no result. @param cause of SplitScores
std::string too_large_reason(const PendingTrace& pending, const std::string& cause);
/// The error where that ends the run.
Error too_large_error(const PendingTrace& pending, const std::string& reason);

}  // namespace air
