// What one process of `air score` does: loads model, heads and tokenizer, and scores its share of
// the inputs.
#pragma once

#include <functional>
#include <string>

#include "base/json.h"
#include "score/flags.h"
#include "score/run_report.h"
#include "score/score_options.h"
#include "score/score_run.h"
#include "score/scorer.h"
#include "scored/manifest.h"
#include "text/tokenizer.h"

namespace air {

/// Where it runs.
struct ProcessPlace {
  std::string device;          ///< as parse_device reads it
  int num_processes = 1;       ///< that share the host's cores, and its memory on the CPU
  bool hears_keyboard = true;  ///< whether Ctrl-C reaches it
};

/// What a process scores with; all of it is the loader's.
struct LoadedScorer {
  const Tokenizer& tokenizer;
  Scorer& scorer;
  const ScoreOptions& options;  ///< with what the model and the machine add to them
  const Json& identity;         ///< of the run
  std::function<void(RunResults& results)> add_costs;  ///< memory; the matrix rate with --bench
};

/// Loads model, heads and tokenizer, plans memory, begins to watch for interrupts, and does `work`.
/// @param options as check() gives them.   @throws Error; what `work` throws.
void with_loaded_scorer(const ScoreFlags& flags, ScoreOptions options, const ProcessPlace& place,
                        const std::function<void(const LoadedScorer&)>& work);

/// Scores, keeping what is finished. @param options as check() gives them: shard, output, partial.
/// @param finished gets the run, its identity and its results; the scores are in run.partial().
/// @throws Error, Interrupted as ScoreRun::score does.
void score_share(const ScoreFlags& flags, ScoreOptions options, const ProcessPlace& place,
                 RunReport& report,
                 const std::function<void(ScoreRun& run, const Json& identity,
                                          const RunResults& results)>& finished);

}  // namespace air
