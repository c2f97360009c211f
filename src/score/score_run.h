// A run of `air score`: scores traces in batches, keeps what is finished, writes the ranked output.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/output_file.h"
#include "base/progress.h"
#include "score/partial_file.h"
#include "score/resume_cursor.h"
#include "score/scorer.h"
#include "score/split_batch.h"
#include "score/trace_source.h"
#include "scored/manifest.h"
#include "scored/scored_line.h"
#include "text/tokenizer.h"

namespace air {

/// The checked options of a run.
struct ScoreOptions {
  TraceSourceOptions source;
  RecordStyle style;
  std::string output = "-";
  std::string rejects;  ///< file for the records that were skipped; empty: none
  int64_t max_batch_tokens = 0;
  int64_t longest_trace =
      std::numeric_limits<int64_t>::max();  ///< tokens of a trace that memory holds (memory_plan.h)
  bool rank_order = true;                   ///< false: the output keeps the input's order
  bool resume = false;
};

/// Runs once.
class ScoreRun {
 public:
  /// @param run_identity what decides the scores, for --resume.   All must outlive the run.
  ScoreRun(const Tokenizer& tokenizer, Scorer& scorer, const ScoreOptions& options,
           const Json& run_identity);
  ~ScoreRun();

  /// Writes the output; OUT.partial stays.
  /// @throws Error, also when there is no trace to score: then an older output stays. Interrupted
  /// after the batch in which the user asked to stop, or while it waits
  ///   for input, with all finished scores kept.
  RunResults run();

  /// Deletes OUT.partial: all that the run writes is on disk.
  void remove_partial() { partial_.remove(); }

 private:
  using Batch = std::vector<const PendingTrace*>;

  void score_all();
  void show_reading(const TraceWindow& window);
  void require_traces();
  void score_window(const TraceWindow& window);
  std::vector<Batch> make_batches(const std::vector<PendingTrace>& traces) const;
  void end_resuming();
  bool resume_batch(const Batch& batch);
  /// A trace for which there is no memory has no result; it is rejected here.
  SplitScores score_batch(const Batch& batch);
  /// Makes the lines of a scored batch and appends them to OUT.partial.
  void keep_batch(const Batch& batch, const SplitScores& split);
  void reject(const RejectedRecord& record);
  void reject_too_large(const PendingTrace& pending, const std::string& cause);
  void write_output();

  const Tokenizer& tokenizer_;
  Scorer& scorer_;
  const ScoreOptions& options_;
  PartialFile partial_;
  ResumeCursor resume_;
  std::unique_ptr<OutputFile> rejects_;
  std::unique_ptr<Progress> progress_;
  int64_t num_lines_ = 0;
  ReadingReport reading_;
  RunResults results_;
};

}  // namespace air
