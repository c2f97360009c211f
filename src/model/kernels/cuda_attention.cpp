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
// Of wider heads the efficient kernel sums outside of its registers, in float32.
constexpr int64_t kWidestHeadInRegisters = 128;
constexpr int64_t kCausalFromBottomRight = 2;
constexpr int kAmpere = 80;

int64_t up_to(int64_t width, int64_t step) { return (width + step - 1) / step * step; }

/// The width of all heads that FlashAttention is given.
int64_t flash_width(int64_t head_dim, int64_t v_head_dim) {
  return up_to(std::max(head_dim, v_head_dim), kFlashHeadStep);
}

int64_t efficient_width(int64_t width, at::ScalarType dtype) {
  return up_to(width, kEfficientHeadBytes / static_cast<int64_t>(c10::elementSize(dtype)));
}

/// Zeros after each head's numbers: they add nothing to a score, and their values are cut off
/// again. @param x [rows, heads, width]
at::Tensor widened(const at::Tensor& x, int64_t width) {
  return x.size(2) == width ? x : at::constant_pad_nd(x, {0, width - x.size(2)});
}

VarlenResult flash(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const VarlenCall& call) {
  const int64_t width = flash_width(q.size(2), v.size(2));
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
    return widened(x, efficient_width(x.size(2), x.scalar_type()));
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

/// The meta device, which computes nothing, stands for a GPU of today.
int capability_of(const at::Tensor& x) {
  constexpr int kHopper = 90;
  return x.is_cuda() ? cuda_compute_capability(x.device()) : kHopper;
}

}  // namespace

CudaAttention choose_cuda_attention(const AttentionSizes& sizes, double softcap,
                                    at::ScalarType dtype, int capability) {
  if (softcap > 0) return CudaAttention::kScores;
  const bool has_flash = dtype != at::kFloat && capability >= kAmpere &&
                         std::max(sizes.head_dim, sizes.v_head_dim) <= kWidestFlashHead;
  return has_flash ? CudaAttention::kFlash : CudaAttention::kEfficient;
}

int64_t cuda_attention_copies(CudaAttention attention, const AttentionSizes& sizes,
                              at::ScalarType dtype) {
  const int64_t heads = sizes.num_heads, kv_heads = sizes.num_key_value_heads;
  const int64_t floats = int64_t{sizeof(float)} / static_cast<int64_t>(c10::elementSize(dtype));
  int64_t copies = 0;
  switch (attention) {
    case CudaAttention::kFlash: {
      const int64_t width = flash_width(sizes.head_dim, sizes.v_head_dim);
      if (sizes.head_dim != width) copies += (heads + kv_heads) * width;
      if (sizes.v_head_dim != width) copies += (kv_heads + heads) * width;
      return copies;
    }
    case CudaAttention::kEfficient: {
      const int64_t width = efficient_width(sizes.head_dim, dtype),
                    v_width = efficient_width(sizes.v_head_dim, dtype);
      const bool repeated = heads != kv_heads;
      if (sizes.head_dim != width) copies += heads * width;
      if (repeated || sizes.head_dim != width) copies += heads * width;
      if (repeated || sizes.v_head_dim != v_width) copies += heads * v_width;
      if (sizes.v_head_dim != v_width) copies += heads * v_width;
      if (dtype != at::kFloat && std::max(width, v_width) > kWidestHeadInRegisters)
        copies += floats * heads * v_width;
      return copies;
    }
    case CudaAttention::kScores:  // keys, then values, in float32
      return dtype == at::kFloat ? 0 : floats * std::max(sizes.k_size(), sizes.v_size());
  }
  return copies;
}

at::Tensor cuda_attention_by(CudaAttention attention, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const PackedSequences& sequences,
                             const AttentionSpec& spec) {
  if (attention == CudaAttention::kScores) return aten_attention(q, k, v, sequences, spec);
  return varlen_attention(q, k, v, sequences, spec,
                          attention == CudaAttention::kFlash ? flash : efficient);
}

at::Tensor cuda_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const PackedSequences& sequences, const AttentionSpec& spec) {
  const AttentionSizes sizes{q.size(1), k.size(1), q.size(2), v.size(2)};
  const CudaAttention attention =
      choose_cuda_attention(sizes, spec.softcap, q.scalar_type(), capability_of(q));
  return cuda_attention_by(attention, q, k, v, sequences, spec);
}

}  // namespace air
