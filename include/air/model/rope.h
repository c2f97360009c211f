// Rotary position embedding (Su et al. 2021, arXiv:2104.09864) in the half-split layout of Hugging Face checkpoints.
#pragma once

#include <ATen/core/Tensor.h>

#include "air/model/model_config.h"

namespace air {

/// Cosines and sines of all positions of a batch.
struct RopeTable {
  at::Tensor cos;  ///< [N, 1, rotary_dim / 2], in the model's dtype
  at::Tensor sin;
};

/// Angles in float32 as in Hugging Face, then cast. @param positions [N] int64.
RopeTable make_rope_table(const RopeConfig& config, const at::Tensor& positions, at::ScalarType dtype);

/// Rotates x [N, heads, D] in place.
void apply_rope(at::Tensor& x, const RopeTable& table);

}  // namespace air
