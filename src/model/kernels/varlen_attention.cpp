#include "model/kernels/varlen_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sigmoid.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "model/device.h"

namespace air {

namespace {

/// [B + 1] int32 of running sums.
at::Tensor bounds(const std::vector<int64_t>& ends, at::Device device) {
  at::Tensor all =
      at::empty({static_cast<int64_t>(ends.size())}, at::TensorOptions().dtype(at::kInt));
  std::copy(ends.begin(), ends.end(), all.data_ptr<int32_t>());
  return upload(all, device);
}

}  // namespace

std::shared_ptr<const KeyLayout> make_key_layout(const PackedSequences& sequences,
                                                 at::Device device) {
  auto layout = std::make_shared<KeyLayout>();
  std::vector<int64_t> key_ends = {0};
  for (int64_t i = 0; i < sequences.size(); ++i) {
    const int64_t length = sequences.length(i), keys = sequences.prefix_length(i) + length;
    layout->max_queries = std::max(layout->max_queries, length);
    layout->max_keys = std::max(layout->max_keys, keys);
    key_ends.push_back(key_ends.back() + keys);
  }
  layout->cu_queries = bounds(sequences.cu_seqlens, device);
  layout->cu_keys = bounds(key_ends, device);
  if (key_ends.back() == sequences.num_tokens()) return layout;
  at::Tensor rows = at::empty({key_ends.back()}, at::TensorOptions().dtype(at::kLong));
  int64_t* next = rows.data_ptr<int64_t>();
  for (int64_t i = 0; i < sequences.size(); ++i) {
    for (const int64_t part : {sequences.prefix_of(i), i}) {
      if (part < 0) continue;
      std::iota(next, next + sequences.length(part), sequences.begin(part));
      next += sequences.length(part);
    }
  }
  layout->key_rows = upload(rows, device);
  return layout;
}

at::Tensor varlen_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const PackedSequences& sequences, const AttentionSpec& spec,
                            VarlenKernel kernel) {
  AIR_CHECK(spec.softcap == 0);
  const std::shared_ptr<const KeyLayout> layout =
      sequences.keys ? sequences.keys : make_key_layout(sequences, q.device());
  const auto keys_of = [&](const at::Tensor& x) {
    return layout->key_rows.defined() ? x.index_select(0, layout->key_rows) : x;
  };
  const VarlenCall call{*layout, spec.scale, spec.window, spec.sinks.defined()};
  VarlenResult result = kernel(q, keys_of(k), keys_of(v), call);
  if (spec.sinks.defined()) {
    const at::Tensor share = at::sigmoid(result.lse - spec.sinks.to(at::kFloat).unsqueeze(1));
    result.out.mul_(share.t().unsqueeze(2));  // [N, H, 1]
  }
  return result.out;
}

}  // namespace air
