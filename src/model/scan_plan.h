// In which order the tokens of packed sequences pass through a recurrence, and where each finds
// the tokens before it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/batch.h"

namespace air {

/// Tokens of one step of a chunked recurrence.
constexpr int64_t kChunk = 64;

/// How much of a recurrence is worked on at a time.
struct ScanShape {
  int64_t group_chunks;     ///< a group is closed when it has so many chunks
  int64_t group_sequences;  ///< or so many sequences
  int64_t heads;            ///< key heads of one piece of work
  int64_t
      segment_chunks;  ///< chunks of a group and these heads that are prepared together, at most

  /// Small pieces for the CPU's threads, each within a cache; elsewhere pieces that fill the
  /// device.
  static ScanShape for_device(at::Device device);
};

/// Sequences whose chunks are worked on together, the longest first. Chunk s of all of them, then
/// chunk s + 1 of those that have one: what a step needs lies together.
struct ScanGroup {
  /// [W, C · kChunk] int64: for each place, the packed row of its token, and of the tokens 1 … W −
  /// 1 places before it. N, where a row of zeros is, stands for what is not there.
  at::Tensor taps;
  std::vector<int64_t> active;  ///< [steps]: sequences that have a chunk at this step
  /// [sequences] int64: whose state each starts from, by index among the kept ones; undefined: none
  at::Tensor start;
  /// [K] int64: sequences of the group whose last state others start from; undefined: none
  at::Tensor kept;
  at::Tensor kept_index;  ///< [K] int64: their indices among the kept ones

  int64_t num_sequences() const { return active.front(); }
};

/// The plan for one batch. A group of a round needs nothing of the others of its round.
struct ScanPlan {
  ScanShape shape;
  int64_t num_rows = 0;  ///< N
  int64_t num_kept = 0;  ///< sequences that others continue
  /// First the sequences without a prefix, then those that continue one.
  std::vector<std::vector<ScanGroup>> rounds;
  at::Tensor taps;  ///< [W, N] int64: as ScanGroup::taps, for the rows as they are packed
};

/// @param width W: how many tokens a convolution sees, at least 1
/// @param device the plan's tensors lie there
ScanPlan make_scan_plan(const PackedSequences& sequences, int64_t width, at::Device device,
                        const ScanShape& shape);

}  // namespace air
