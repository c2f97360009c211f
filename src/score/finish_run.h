// What follows the last score: the ranked output, the manifest, the closing lines.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"
#include "score/flags.h"
#include "score/partial_file.h"
#include "score/run_report.h"
#include "scored/manifest.h"

namespace air {

/// All scores of a run.
struct FinishedScores {
  std::vector<PartialFile*> partials;  ///< one, or one a worker
  Json identity;                       ///< of the run, for the manifest
  RunResults results;                  ///< but for what needs all scores
  int64_t num_lines = 0;               ///< of all inputs
};

/// Writes the output, the skipped records and the manifest, then removes the partial files.
/// @throws Error, also when there is no trace: then an older output stays.
void finish_run(const ScoreFlags& flags, const ScoreOptions& options, ShownReport& report,
                FinishedScores scores);

}  // namespace air
