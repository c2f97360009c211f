#include "model/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>

#include <limits>

#include "model/kernels/kernels.h"

namespace air {

namespace {

/// Softmax over the keys; a sink takes its share of each row and is left out of the result.
/// @param scores [H, A, S]
at::Tensor softmax_with_sinks(const at::Tensor& scores, const at::Tensor& sinks) {
  if (!sinks.defined()) return at::softmax(scores, -1);
  const at::Tensor column =
      sinks.to(at::kFloat).view({-1, 1, 1}).expand({scores.size(0), scores.size(1), 1});
  return at::softmax(at::cat({scores, column}, -1), -1).narrow(-1, 0, scores.size(2));
}

}  // namespace

at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const PackedSequences& sequences, const AttentionSpec& spec) {
  return kernels_of(q).attention(q, k, v, sequences, spec);
}

at::Tensor position_range(int64_t begin, int64_t end, at::Device device) {
  return at::arange(begin, end, at::TensorOptions().dtype(at::kLong).device(device));
}

at::Tensor visible_keys(const at::Tensor& queries, const at::Tensor& keys,
                        std::optional<int64_t> window) {
  const at::Tensor distance = queries.unsqueeze(1) - keys.unsqueeze(0);
  const at::Tensor earlier = distance >= 0;
  return window ? earlier.logical_and(distance < *window) : earlier;
}

at::Tensor attention_probabilities(const at::Tensor& q, const at::Tensor& k,
                                   const at::Tensor& queries, const at::Tensor& keys,
                                   const AttentionSpec& spec) {
  const int64_t rows = q.size(0), num_heads = q.size(1), kv_heads = k.size(1);
  // Query heads of a group share their keys: [K, H / K · A, D] × [K, D, S], nothing repeated.
  const at::Tensor grouped =
      q.to(at::kFloat).transpose(0, 1).reshape({kv_heads, num_heads / kv_heads * rows, q.size(2)});
  at::Tensor scores = at::matmul(grouped, k.to(at::kFloat).permute({1, 2, 0})).mul_(spec.scale);
  scores = scores.view({num_heads, rows, k.size(0)});
  if (spec.softcap > 0) scores.div_(spec.softcap).tanh_().mul_(spec.softcap);
  scores.masked_fill_(visible_keys(queries, keys, spec.window).logical_not(),
                      -std::numeric_limits<float>::infinity());
  return softmax_with_sinks(scores, spec.sinks);
}

at::Tensor attention_rows(const at::Tensor& q, const at::Tensor& k,
                          const std::vector<int64_t>& rows, const AttentionSpec& spec) {
  return kernels_of(q).attention_rows(q, k, rows, spec);
}

}  // namespace air
