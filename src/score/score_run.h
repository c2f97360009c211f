// A run of `air score`: scores traces in batches and keeps what is finished.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "score/batch_scorer.h"
#include "score/partial_file.h"
#include "score/resume_cursor.h"
#include "score/run_report.h"
#include "score/score_options.h"
#include "score/scorer.h"
#include "score/split_batch.h"
#include "score/trace_source.h"
#include "scored/manifest.h"
#include "text/tokenizer.h"

namespace air {

/// Runs once.
class ScoreRun {
 public:
  /// @param run_identity what decides the scores, for --resume.   All must outlive the run.
  ScoreRun(const Tokenizer& tokenizer, Scorer& scorer, const ScoreOptions& options,
           const Json& run_identity, RunReport& report);
  ~ScoreRun();

  /// Scores all traces; what is finished is in partial().
  /// @return what there is to say of it; write_ranked() adds what needs all scores.
  /// @throws Error. Interrupted after the batch in which the user asked to stop, or while it waits
  ///   for input, with all finished scores kept.
  RunResults score();

  PartialFile& partial() { return partial_; }
  /// Of all inputs and shards.
  int64_t num_lines() const { return num_lines_; }

 private:
  void score_all();
  void score_window(const TraceWindow& window);
  void end_resuming();
  bool resume_batch(const TraceBatch& batch);
  /// A trace for which there is no memory has no result; it is rejected here.
  SplitScores score_batch(const TraceBatch& batch);
  /// Makes the lines of a scored batch and appends them to OUT.partial.
  void keep_batch(const TraceBatch& batch, const SplitScores& split);
  void reject(const RejectedRecord& record);
  void reject_too_large(const PendingTrace& pending, const std::string& cause);

  const Tokenizer& tokenizer_;
  BatchScorer scorer_;
  const ScoreOptions& options_;
  PartialFile partial_;
  ResumeCursor resume_;
  RunReport& report_;
  int64_t num_lines_ = 0;
  RunResults results_;
  RunProgress progress_;
};

/// The identity of a run as finished scores have it: what the inputs held is compared record by
/// record, so that one that was repaired after the last score does not matter.
Json without_contents(Json run_identity);

/// For a run without a single scored trace, which writes nothing: throws Error(kInput) that says
/// why. @param num_lines of all inputs. Returns where the shard has no lines: a file of fewer lines
/// than shards leaves some without any.
void require_traces(std::span<const PartialFile* const> partials, const TraceSourceOptions& source,
                    int64_t num_lines, const RunResults& results, const std::string& rejects);

}  // namespace air
