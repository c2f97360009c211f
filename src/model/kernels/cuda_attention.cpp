#include "model/kernels/cuda_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_efficient_attention_forward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/searchsorted.h>

#include <algorithm>
#include <tuple>

#include "model/device.h"
#include "model/kernels/aten_attention.h"
#include "model/kernels/varlen_attention.h"

namespace air {

namespace {

constexpr int64_t kWidestFlashHead = 256;
constexpr int64_t kFlashHeadStep = 8;
constexpr int64_t kEfficientHeadBytes = 16;
constexpr int64_t kCausalFromBottomRight = 2;

int64_t missing_to(int64_t width, int64_t step) { return (step - width % step) % step; }

/// Zeros after each head's numbers: they add nothing to a score, and their values are cut off
/// again. @param x [rows, heads, width]
at::Tensor widened(const at::Tensor& x, int64_t width) {
  return x.size(2) == width ? x : at::constant_pad_nd(x, {0, width - x.size(2)});
}

VarlenResult flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const VarlenCall& call) {
  // One width for all three, in steps of eight.
  const int64_t widest = std::max(q.size(2), v.size(2));
  const int64_t width = widest + missing_to(widest, kFlashHeadStep);
  // A window is two bounds relative to the diagonal; "causal" is the right one alone.
  const bool windowed = call.window && *call.window < call.layout.max_keys;
  const auto left = windowed ? std::optional<int64_t>(*call.window - 1) : std::nullopt;
  const auto right = windowed ? std::optional<int64_t>(0) : std::nullopt;
  auto [out, lse, rng, unused, mask] = at::_flash_attention_forward(
      widened(q, width), widened(k, width), widened(v, width), call.layout.cu_queries,
      call.layout.cu_keys, call.layout.max_queries, call.layout.max_keys, /*dropout_p=*/0.0,
      /*is_causal=*/!windowed, /*return_debug_mask=*/false, std::optional<double>(call.scale), left,
      right);
  return {v.size(2) == width ? out : out.narrow(2, 0, v.size(2)).contiguous(), lse};
}

/// The kernel keeps the sums of each sequence in rows of their own, [B, H, padded length].
at::Tensor packed_lse(const at::Tensor& lse, const KeyLayout& layout, int64_t rows) {
  const at::Tensor row = at::arange(rows, layout.cu_queries.options());
  const at::Tensor sequence =
      at::searchsorted(layout.cu_queries, row, /*out_int32=*/false, /*right=*/true).sub_(1);
  const at::Tensor offset = row - layout.cu_queries.index_select(0, sequence);
  const at::Tensor where = sequence * lse.size(2) + offset;
  return lse.transpose(1, 2).reshape({-1, lse.size(1)}).index_select(0, where).t();
}

VarlenResult efficient(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const VarlenCall& call) {
  // This kernel knows nothing of groups: keys and values are repeated for each query head.
  const int64_t group = q.size(1) / k.size(1);
  const auto padded = [](const at::Tensor& x) {
    return widened(x, x.size(2) + missing_to(x.size(2), kEfficientHeadBytes / x.element_size()));
  };
  const auto of_all_heads = [&](const at::Tensor& x) {
    return (group == 1 ? padded(x) : padded(x).repeat_interleave(group, 1)).unsqueeze(0);
  };
  auto result = at::_efficient_attention_forward(
      padded(q).unsqueeze(0), of_all_heads(k), of_all_heads(v), /*bias=*/std::nullopt,
      call.layout.cu_queries, call.layout.cu_keys, call.layout.max_queries, call.layout.max_keys,
      /*dropout_p=*/0.0, kCausalFromBottomRight, call.with_lse, call.scale,
      /*seqlen_k=*/std::nullopt, call.window);
  const at::Tensor out = std::get<0>(result).squeeze(0);
  const at::Tensor lse =
      call.with_lse ? packed_lse(std::get<1>(result), call.layout, q.size(0)) : at::Tensor();
  return {v.size(2) == out.size(2) ? out : out.narrow(2, 0, v.size(2)).contiguous(), lse};
}

}  // namespace

at::Tensor cuda_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const PackedSequences& sequences, const AttentionSpec& spec) {
  constexpr int kAmpere = 80;
  if (spec.softcap > 0 || std::max(q.size(2), v.size(2)) > kWidestFlashHead)
    return aten_attention(q, k, v, sequences, spec);
  const bool has_flash =
      q.scalar_type() != at::kFloat && cuda_compute_capability(q.device()) >= kAmpere;
  return varlen_attention(q, k, v, sequences, spec, has_flash ? flash : efficient);
}

}  // namespace air
