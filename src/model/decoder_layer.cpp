#include "air/model/decoder_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>

#include <algorithm>

namespace air {

namespace {

// Rows of the MLP at a time: enough for a full-speed matrix product, few enough that its wide buffers stay small.
constexpr int64_t kMlpRows = 2048;

at::Tensor apply(const Linear& linear, const at::Tensor& x) { return at::linear(x, linear.weight, linear.bias); }

void activate(at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu: at::silu_(x); return;
    case Activation::kGelu: at::gelu_(x, "none"); return;
    case Activation::kGeluTanh: at::gelu_(x, "tanh"); return;
  }
}

/// Multiplies the rows of each variant by that variant's 0/1 per head. @param x [V · N, H, D], changed in place.
void mask_heads(at::Tensor& x, const at::Tensor& mask, int64_t num_variants) {
  x.view({num_variants, x.size(0) / num_variants, x.size(1), x.size(2)}).mul_(mask);
}

at::Tensor attention_block(const DecoderLayer& layer, const at::Tensor& x, const LayerContext& context) {
  const ModelConfig& config = context.config;
  const int64_t rows = x.size(0);
  at::Tensor q = apply(layer.q_proj, x).view({rows, config.num_attention_heads, config.head_dim});
  at::Tensor k = apply(layer.k_proj, x).view({rows, config.num_key_value_heads, config.head_dim});
  const at::Tensor v = apply(layer.v_proj, x).view({rows, config.num_key_value_heads, config.head_dim});
  apply_rope(q, context.rope);
  apply_rope(k, context.rope);
  if (context.observer != nullptr) {
    const int64_t base_rows = rows / context.num_variants;
    (*context.observer)(q.narrow(0, 0, base_rows), k.narrow(0, 0, base_rows));
  }
  const at::Tensor mask = context.mask != nullptr ? context.mask->layer(context.index) : at::Tensor();
  // A query of zeros has equal scores with every key: its softmax row is uniform over the visible positions.
  if (mask.defined() && context.mask->mode() == MaskMode::kUniform) mask_heads(q, mask, context.num_variants);
  at::Tensor attended = packed_attention(q, k, v, context.cu_seqlens, {.scale = config.attention_scale});
  if (mask.defined() && context.mask->mode() == MaskMode::kZero) mask_heads(attended, mask, context.num_variants);
  return apply(layer.o_proj, attended.view({rows, config.num_attention_heads * config.head_dim}));
}

at::Tensor mlp_block(const DecoderLayer& layer, const at::Tensor& x, const ModelConfig& config) {
  at::Tensor hidden = apply(layer.gate_proj, x);
  activate(hidden, config.hidden_act);
  hidden.mul_(apply(layer.up_proj, x));
  return apply(layer.down_proj, hidden);
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  at::Tensor wide = x.to(at::kFloat);
  const at::Tensor inverse = wide.square().mean(at::IntArrayRef{-1}, /*keepdim=*/true).add_(eps).rsqrt_();
  return (wide * inverse).to(x.scalar_type()).mul_(weight);
}

void decoder_layer(const DecoderLayer& layer, at::Tensor& x, const LayerContext& context) {
  const double eps = context.config.rms_norm_eps;
  x.add_(attention_block(layer, rms_norm(x, layer.input_layernorm, eps), context));
  for (int64_t begin = 0; begin < x.size(0); begin += kMlpRows) {
    at::Tensor rows = x.narrow(0, begin, std::min(kMlpRows, x.size(0) - begin));
    rows.add_(mlp_block(layer, rms_norm(rows, layer.post_attention_layernorm, eps), context.config));
  }
}

}  // namespace air
