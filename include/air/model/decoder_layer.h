// One decoder block, the same code for every family: an absent part is an undefined tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "air/model/attention.h"
#include "air/model/head_mask.h"
#include "air/model/model_config.h"
#include "air/model/rope.h"

namespace air {

/// A linear map: y = x · weightᵀ + bias.
struct Linear {
  at::Tensor weight;  ///< [out, in]
  at::Tensor bias;    ///< [out] or undefined
};

/// Weights of one block.
struct DecoderLayer {
  at::Tensor input_layernorm;           ///< [hidden_size]
  Linear q_proj, k_proj, v_proj;        ///< [H · D, hidden], [K · D, hidden] twice
  Linear o_proj;                        ///< [hidden, H · D]
  at::Tensor post_attention_layernorm;  ///< [hidden_size]
  Linear gate_proj, up_proj;            ///< [intermediate, hidden]
  Linear down_proj;                     ///< [hidden, intermediate]
};

/// What a block needs to know of the batch. All rows: V variants × N tokens, one variant behind another.
struct LayerContext {
  const ModelConfig& config;
  const std::vector<int64_t>& cu_seqlens;  ///< of all rows, [V · B + 1]
  const RopeTable& rope;                   ///< of all rows
  int64_t num_variants = 1;                ///< V at this layer: 1 below the fork
  const HeadMask* mask = nullptr;          ///< null below the fork
  int64_t index = 0;                       ///< of this layer
  /// When set: called with q [N, H, D] and k [N, K, D] after RoPE, before masking.
  const std::function<void(const at::Tensor& q, const at::Tensor& k)>* observer = nullptr;
};

/// @param x [V · N, hidden_size], changed in place to the block's output.
void decoder_layer(const DecoderLayer& layer, at::Tensor& x, const LayerContext& context);

/// RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467), computed in float32, as in Hugging Face Llama.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace air
