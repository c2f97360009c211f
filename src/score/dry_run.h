// `air score --dry-run`: what a run would read and cost, without its scores.
#pragma once

#include "score/flags.h"

namespace air {

/// @throws Error(kUsage) naming a flag that does not go with --dry-run.
void check_dry_run(const ScoreFlags& flags);

/// Reads and tokenizes all records as the run would, so that its counts are the run's; scores a few
/// seconds' worth of them for the time. Writes a table to standard output, and no file.
/// @throws Error for what would end the run: a bad record, unless they are skipped
void dry_run_scores(const ScoreFlags& flags, const ScoreOptions& options);

}  // namespace air
