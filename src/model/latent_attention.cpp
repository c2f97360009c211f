#include "model/latent_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

namespace air {

namespace {

/// The short vector of queries or of keys and values, [rows, rank].
at::Tensor short_vector(const Linear& down, const Norm& norm, const at::Tensor& x, double eps) {
  return rms_norm(apply_linear(down, x), norm.weight, eps);
}

at::Tensor as_heads(const at::Tensor& x, int64_t num_heads) {
  return x.view({x.size(0), num_heads, -1});
}

}  // namespace

at::Tensor latent_queries(const LatentAttention& weights, const at::Tensor& x,
                          const AttentionSizes& sizes, const LatentConfig& config,
                          const RopeTable& rope) {
  const at::Tensor input = weights.q_down.weight.defined()
                               ? short_vector(weights.q_down, weights.q_norm, x, config.norm_eps)
                               : x;
  at::Tensor q = as_heads(apply_linear(weights.q_up, input), sizes.num_heads);
  apply_rope(q, rope);
  return q;
}

KeyValues latent_keys(const LatentAttention& weights, const at::Tensor& x,
                      const AttentionSizes& sizes, const LatentConfig& config,
                      const RopeTable& rope) {
  const int64_t heads = sizes.num_heads, turning = config.rope_dim;
  const at::Tensor kv = short_vector(weights.kv_down, weights.kv_norm, x, config.norm_eps);
  at::Tensor shared = as_heads(apply_linear(weights.k_rope, x), 1);
  apply_rope(shared, rope);
  at::Tensor k = at::empty({x.size(0), heads, sizes.head_dim}, x.options());
  k.narrow(2, 0, turning).copy_(shared);
  k.narrow(2, turning, sizes.head_dim - turning)
      .copy_(as_heads(apply_linear(weights.k_up, kv), heads));
  return {k, as_heads(apply_linear(weights.v_up, kv), heads)};
}

}  // namespace air
