// `air score` on several devices: a process for each, one progress, one output.
#pragma once

#include <string>
#include <vector>

#include "score/flags.h"
#include "score/score_run.h"

namespace air {

/// Scores on all devices at once. Each has a process of its own that scores every n-th line of the
/// inputs and keeps its finished scores in OUT.partial.IofN; this process shows how far they are,
/// and ranks and writes all scores at the end. It loads nothing itself.
/// @param devices two or more (device_list.h)
/// @throws Error(kUsage) for an input or output that is a pipe; what a worker failed of, naming its
///   device: the others stop after their batch, and all finished scores are kept for --resume.
///   Interrupted when the user asked to stop.
void score_on_devices(const ScoreFlags& flags, const ScoreOptions& options,
                      const std::vector<std::string>& devices);

/// @throws Error(kUsage) when beside the output lie unfinished scores of a run on another number of
/// devices. @param own the files that this run keeps its scores in
void refuse_partials_of_other_runs(const std::string& output, const std::vector<std::string>& own);

}  // namespace air
