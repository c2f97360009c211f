#include "model/chunked_scan.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <limits>

namespace air {

namespace {

/// The work on one group for some heads.
struct GroupScan {
  const ChunkedScan& scan;
  at::Tensor& kept;  ///< [sequences that others continue, heads, …] float32
  at::Tensor& out;   ///< [heads, N + 1, out_width]

  at::Tensor first_states(const ScanGroup& group, HeadRange heads) const {
    if (group.start.defined())
      return kept.narrow(1, heads.begin, heads.count).index_select(0, group.start);
    std::vector<int64_t> shape = {group.num_sequences(), heads.count};
    shape.insert(shape.end(), scan.state_shape.begin(), scan.state_shape.end());
    return at::zeros(shape, kept.options());
  }

  void run(const ScanGroup& group, HeadRange heads, int64_t most_chunks) const {
    at::Tensor state = first_states(group, heads);
    int64_t begin = 0;  // of the segment, in chunks
    for (size_t step = 0; step < group.active.size();) {
      size_t end = step;
      int64_t chunks = 0;
      do chunks += group.active[end++];
      while (end < group.active.size() && chunks + group.active[end] <= most_chunks);
      const at::Tensor taps = group.taps.narrow(1, begin * kChunk, chunks * kChunk);
      const AdvanceChunks advance = scan.prepare(taps, heads);
      std::vector<at::Tensor> read;
      for (int64_t first = 0; step < end; first += group.active[step++]) {
        at::Tensor active = state.narrow(0, 0, group.active[step]);
        read.push_back(advance(first, active));
      }
      // [chunks, h, kChunk, …] → rows of each head
      const at::Tensor rows =
          at::cat(read).transpose(0, 1).reshape({heads.count, chunks * kChunk, scan.out_width});
      out.narrow(0, heads.begin, heads.count).index_copy_(1, taps[0], rows.to(out.scalar_type()));
      begin += chunks;
    }
    if (group.kept.defined())
      kept.narrow(1, heads.begin, heads.count)
          .index_copy_(0, group.kept_index, state.index_select(0, group.kept));
  }
};

}  // namespace

at::Tensor future_mask(at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  return at::full({kChunk, kChunk}, -std::numeric_limits<float>::infinity(), options).triu_(1);
}

at::Tensor run_chunked_scan(const ChunkedScan& scan, const ScanPlan& plan,
                            const at::TensorOptions& options) {
  const int64_t heads = scan.num_heads;
  at::Tensor out = at::empty({heads, plan.num_rows + 1, scan.out_width}, options);
  std::vector<int64_t> kept_shape = {plan.num_kept, heads};
  kept_shape.insert(kept_shape.end(), scan.state_shape.begin(), scan.state_shape.end());
  at::Tensor kept = at::empty(kept_shape, options.dtype(at::kFloat));
  const GroupScan of_group{scan, kept, out};
  for (const std::vector<ScanGroup>& round : plan.rounds) {
    const auto num_groups = static_cast<int64_t>(round.size());
    const int64_t pieces = (heads + plan.shape.heads - 1) / plan.shape.heads * num_groups;
    const auto some = [&](int64_t first, int64_t last) {
      c10::InferenceMode guard;
      for (int64_t i = first; i < last; ++i) {
        const int64_t begin = i / num_groups * plan.shape.heads;
        of_group.run(round[i % num_groups], {begin, std::min(plan.shape.heads, heads - begin)},
                     plan.shape.segment_chunks);
      }
    };
    if (out.is_cpu())
      at::parallel_for(0, pieces, 1, some);
    else
      some(0, pieces);
  }
  return out;
}

}  // namespace air
