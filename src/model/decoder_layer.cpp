#include "air/model/decoder_layer.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

namespace air {

namespace {

// Rows of the MLP at a time: enough for a full-speed matrix product, few enough that its wide buffers stay
// small.
constexpr int64_t kMlpRows = 2048;

/// Multiplies the rows of each variant by that variant's 0/1 per head. @param x [V · N, H, D], changed in
/// place.
void mask_heads(at::Tensor& x, const at::Tensor& mask, int64_t num_variants) {
  x.view({num_variants, x.size(0) / num_variants, x.size(1), x.size(2)}).mul_(mask);
}

/// Queries or keys of all heads, [rows, heads, D], normalised as the family does.
at::Tensor project_heads(const Linear& proj, const Norm& norm, const at::Tensor& x, int64_t heads,
                         const ModelConfig& config) {
  at::Tensor projected = apply(proj, x);
  if (config.qk_norm == QkNorm::kProjection) projected = apply_norm(projected, norm, config.norm);
  if (config.clip_qkv > 0) projected.clamp_(-config.clip_qkv, config.clip_qkv);
  projected = projected.view({x.size(0), heads, config.head_dim});
  return config.qk_norm == QkNorm::kProjection ? projected : apply_norm(projected, norm, config.norm);
}

at::Tensor attention_block(const DecoderLayer& layer, const at::Tensor& x, const LayerContext& context) {
  const ModelConfig& config = context.config;
  const int64_t rows = x.size(0);
  at::Tensor q = project_heads(layer.q_proj, layer.q_norm, x, config.num_attention_heads, config);
  at::Tensor k = project_heads(layer.k_proj, layer.k_norm, x, config.num_key_value_heads, config);
  at::Tensor v = apply(layer.v_proj, x).view({rows, config.num_key_value_heads, config.head_dim});
  if (config.clip_qkv > 0) v.clamp_(-config.clip_qkv, config.clip_qkv);
  if (context.rope != nullptr) {
    apply_rope(q, *context.rope);
    apply_rope(k, *context.rope);
  }
  if (context.observer != nullptr) {
    const int64_t base_rows = rows / context.num_variants;
    (*context.observer)(q.narrow(0, 0, base_rows), k.narrow(0, 0, base_rows));
  }
  const at::Tensor mask = context.mask != nullptr ? context.mask->layer(context.index) : at::Tensor();
  // A query of zeros has equal scores with every key: its softmax row is uniform over the visible positions.
  // A soft cap leaves a score of 0 as it is; a sink keeps its own logit (docs/families.md).
  if (mask.defined() && context.mask->mode() == MaskMode::kUniform) mask_heads(q, mask, context.num_variants);
  at::Tensor attended =
      packed_attention(q, k, v, context.cu_seqlens, attention_spec(layer, config, context.index));
  if (mask.defined() && context.mask->mode() == MaskMode::kZero)
    mask_heads(attended, mask, context.num_variants);
  return apply(layer.o_proj, attended.view({rows, config.num_attention_heads * config.head_dim}));
}

/// The feed-forward part on normed rows.
at::Tensor mlp_block(const DecoderLayer& layer, const at::Tensor& x, const ModelConfig& config) {
  return layer.experts.experts.empty() ? mlp(layer.mlp, x, config) : mixture(layer.experts, x, config);
}

}  // namespace

AttentionSpec attention_spec(const DecoderLayer& layer, const ModelConfig& config, int64_t index) {
  return {.scale = config.attention_scale,
          .window = config.layers[static_cast<size_t>(index)].window,
          .softcap = config.attention_softcap,
          .sinks = layer.sinks};
}

void decoder_layer(const DecoderLayer& layer, at::Tensor& x, const LayerContext& context) {
  const ModelConfig& config = context.config;
  const at::Tensor normed = apply_norm(x, layer.attention_norm, config.norm);
  const at::Tensor attended =
      apply_norm(attention_block(layer, normed, context), layer.attention_post_norm, config.norm);
  x.add_(attended, config.residual_multiplier);
  for (int64_t begin = 0; begin < x.size(0); begin += kMlpRows) {
    const int64_t length = std::min(kMlpRows, x.size(0) - begin);
    at::Tensor rows = x.narrow(0, begin, length);
    const at::Tensor input = config.parallel_blocks ? normed.narrow(0, begin, length)
                                                    : apply_norm(rows, layer.mlp_norm, config.norm);
    rows.add_(apply_norm(mlp_block(layer, input, config), layer.mlp_post_norm, config.norm),
              config.residual_multiplier);
  }
}

}  // namespace air
