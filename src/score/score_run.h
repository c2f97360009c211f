// A run of `air score`: reads records, scores them in batches, keeps what is finished, writes the
// ranked output.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/output_file.h"
#include "base/progress.h"
#include "data/record_reader.h"
#include "data/trace.h"
#include "model/causal_lm.h"
#include "score/partial_file.h"
#include "score/scorer.h"
#include "scored/scored_line.h"
#include "text/tokenizer.h"

namespace air {

/// The checked options of a run.
struct ScoreOptions {
  std::vector<std::string> inputs;
  RecordFields fields;
  TraceOptions trace;
  RecordStyle style;
  Shard shard;
  std::string output = "-";
  std::string rejects;     ///< file for the records that were skipped; empty: none
  int64_t max_length = 0;  ///< tokens of a trace, prompt included
  int64_t max_batch_tokens = 0;
  int64_t longest_trace =
      std::numeric_limits<int64_t>::max();  ///< tokens of a trace that memory holds (memory_plan.h)
  bool rank_order = true;                   ///< false: the output keeps the input's order
  bool skip_bad_records = false;
  bool overwrite = false;  ///< replace an `air` key that a record already has
  bool resume = false;
};

/// What a run did.
struct ScoreSummary {
  int64_t num_traces = 0;
  int64_t num_resumed = 0;  ///< of them finished by an earlier run
  int64_t num_rejected = 0;
  int64_t thinking_from_format = 0;    ///< traces whose `<think>` the chat format wrote
  int64_t thinking_from_response = 0;  ///< … the response brought
  int64_t num_tokens = 0;              ///< scored by this run: prompt and response, each once
  double seconds = 0;                  ///< first batch to last score
  double flops = 0;  ///< arithmetic that the scores of this run needed (Scorer::flops)
  double correlation_base_nll = 0;    ///< rank correlation of what ranks with the base loss
  double correlation_num_tokens = 0;  ///< … with the length
};

/// Runs once.
class ScoreRun {
 public:
  /// @param run_identity what decides the scores, for --resume.
  ScoreRun(const CausalLM& model, const Tokenizer& tokenizer, Scorer& scorer,
           const ScoreOptions& options, const Json& run_identity);
  ~ScoreRun();

  /// Writes the output; OUT.partial stays.
  /// @throws Error; Interrupted after the batch in which the user asked to stop, with all finished
  ///   scores kept.
  ScoreSummary run();

  /// Deletes OUT.partial: all that the run writes is on disk.
  void forget_unfinished();

 private:
  /// A trace that waits for its batch.
  struct Pending {
    std::string text;  ///< the record's line
    std::string where;
    int64_t line;
    int64_t trace_index;  ///< −1: the record has only one
    Trace trace;
  };

  std::vector<Pending> read_window();
  void read_record(std::vector<Pending>& window);
  void reject(const std::string& where, int64_t line, std::string_view text,
              const std::string& reason);
  void reject_too_large(const Pending& pending, const std::string& cause);
  void score_window();
  bool finished_before(const std::vector<size_t>& batch);
  void score_batch(const std::vector<size_t>& batch);
  void write_output();

  const CausalLM& model_;
  const Tokenizer& tokenizer_;
  Scorer& scorer_;
  const ScoreOptions& options_;
  RecordReader reader_;
  PartialFile partial_;
  std::mutex
      rejecting_;  ///< records are rejected by the thread that reads and by the one that scores
  std::unique_ptr<OutputFile> rejects_;
  std::unique_ptr<Progress> progress_;
  std::vector<Pending> window_;
  size_t num_recovered_ = 0;   ///< entries of an earlier run
  size_t next_recovered_ = 0;  ///< the first of them that is not yet matched with a batch
  ScoreSummary summary_;
};

}  // namespace air
