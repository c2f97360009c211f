// `air score --stream`: a process that stays up and answers each line as it comes.
#pragma once

#include "score/flags.h"
#include "score/score_options.h"

namespace air {

/// Loads the model once, then writes a line for each line of the input, in its order, until the
/// input ends (docs/data-format.md, "A stream").
/// @throws Error. Interrupted after the batch in which the user asked to stop; the lines whose
/// scores are known by then were written.
void score_stream(const ScoreFlags& flags, const ScoreOptions& options);

/// @throws Error(kUsage) for flags that a stream has no use for.
void check_stream(const ScoreFlags& flags);

}  // namespace air
