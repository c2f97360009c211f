// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): keys and values of all heads are
// projections of one short vector, and all heads share the rotated part of their keys.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/linear.h"
#include "model/model_config.h"
#include "model/norm.h"
#include "model/rope.h"

namespace air {

/// Weights of one layer. A head's query and key begin with their rotated part, whatever the order
/// in the checkpoint: scores are the same.
struct LatentAttention {
  Linear q_down;   ///< [q_rank, hidden]; undefined: queries are projected from the hidden states
  Norm q_norm;     ///< [q_rank]
  Linear q_up;     ///< [H · D, q_rank or hidden]
  Linear kv_down;  ///< [kv_rank, hidden]
  Linear k_rope;   ///< [rope_dim, hidden]
  Norm kv_norm;    ///< [kv_rank]
  Linear k_up;     ///< [H · (D − rope_dim), kv_rank]
  Linear v_up;     ///< [H · E, kv_rank]

  bool defined() const { return kv_down.weight.defined(); }
};

/// Queries of all heads after RoPE, [rows, H, D]. @param x [rows, hidden], normalised
at::Tensor latent_queries(const LatentAttention& weights, const at::Tensor& x,
                          const AttentionSizes& sizes, const LatentConfig& config,
                          const RopeTable& rope);

/// Keys [rows, H, D] after RoPE and values [rows, H, E] of one layer.
struct KeyValues {
  at::Tensor k, v;
};

KeyValues latent_keys(const LatentAttention& weights, const at::Tensor& x,
                      const AttentionSizes& sizes, const LatentConfig& config,
                      const RopeTable& rope);

}  // namespace air
