// The walk of a recurrence through packed sequences, chunk by chunk: what is prepared together, and
// whose state goes where.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "model/scan_plan.h"

namespace air {

/// Heads [begin, begin + count).
struct HeadRange {
  int64_t begin, count;
};

/// −∞ above the diagonal, 0 elsewhere, [kChunk, kChunk] float32.
at::Tensor future_mask(at::Device device);

/// Takes prepared chunks [first, first + n) of n sequences through their states.
/// @param state [n, h, …] float32, changed in place
/// @return what the tokens read, [n, h, kChunk, …]
using AdvanceChunks = std::function<at::Tensor(int64_t first, at::Tensor& state)>;

/// A recurrence. Its heads know nothing of each other.
struct ChunkedScan {
  int64_t num_heads = 0;
  std::vector<int64_t> state_shape;  ///< of a head
  int64_t out_width = 0;             ///< numbers that a token reads from a head
  /// Does for many chunks at once what needs no state. Several threads may call it.
  /// @param taps [W, chunks · kChunk], as ScanGroup::taps
  std::function<AdvanceChunks(const at::Tensor& taps, HeadRange heads)> prepare;
};

/// What each token reads out of the states. A sequence starts from a state of zeros, or from the
/// last one of its prefix.
/// @param options of the result
/// @return [num_heads, N + 1, out_width]; the last row holds nothing
at::Tensor run_chunked_scan(const ChunkedScan& scan, const ScanPlan& plan,
                            const at::TensorOptions& options);

}  // namespace air
