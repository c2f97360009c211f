#include "air/model/attention.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>

#include <limits>

namespace air {

namespace {

/// Rows of one sequence as [1, heads, T, D], without a copy.
at::Tensor as_heads(const at::Tensor& x, int64_t begin, int64_t length) {
  return x.narrow(0, begin, length).transpose(0, 1).unsqueeze(0);
}

}  // namespace

at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::vector<int64_t>& cu_seqlens, const AttentionSpec& spec) {
  const bool grouped = q.size(1) != k.size(1);
  at::Tensor out = at::empty_like(q);
  for (size_t i = 0; i + 1 < cu_seqlens.size(); ++i) {
    const int64_t begin = cu_seqlens[i];
    const int64_t length = cu_seqlens[i + 1] - begin;
    const at::Tensor attended = at::scaled_dot_product_attention(
        as_heads(q, begin, length), as_heads(k, begin, length), as_heads(v, begin, length), /*attn_mask=*/{},
        /*dropout_p=*/0.0, /*is_causal=*/true, spec.scale, grouped);
    out.narrow(0, begin, length).copy_(attended.squeeze(0).transpose(0, 1));
  }
  return out;
}

at::Tensor attention_rows(const at::Tensor& q, const at::Tensor& k, const std::vector<int64_t>& rows,
                          const AttentionSpec& spec) {
  const int64_t length = k.size(0);
  const int64_t groups = q.size(1) / k.size(1);
  const auto whole = at::TensorOptions().dtype(at::kLong).device(q.device());
  const at::Tensor row_index = at::tensor(rows, at::TensorOptions().dtype(at::kLong)).to(q.device());
  const at::Tensor chosen = q.index_select(0, row_index).to(at::kFloat).transpose(0, 1);  // [H, A, D]
  const at::Tensor keys = k.to(at::kFloat).permute({1, 2, 0});                            // [K, D, T]
  // Query heads of a group share their keys: [K, groups · A, D] × [K, D, T], nothing repeated.
  const int64_t answers = chosen.size(1);
  const at::Tensor grouped = chosen.reshape({k.size(1), groups * answers, q.size(2)});
  at::Tensor scores = at::matmul(grouped, keys).mul_(spec.scale).view({q.size(1), answers, length});
  const at::Tensor hidden = at::arange(length, whole).unsqueeze(0) > row_index.unsqueeze(1);  // [A, T]
  scores.masked_fill_(hidden, -std::numeric_limits<float>::infinity());
  return at::softmax(scores, -1);
}

}  // namespace air
