// The share of a task of a Slurm array job.
#pragma once

#include "data/record_reader.h"

namespace air {

/// By SLURM_ARRAY_TASK_ID, _MIN, _MAX, _STEP and _COUNT; all lines outside of an array job.
/// @param by_lines whether the task's share is every N-th line, for the message.
/// @throws Error(kUsage) for an array that does not count from 0 or 1 without gaps.
Shard slurm_shard(bool by_lines);

}  // namespace air
