// Norms of hidden states: RMSNorm and LayerNorm.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/model_config.h"

namespace air {

/// The weights of one norm; undefined: none, the input passes through.
struct Norm {
  at::Tensor weight;  ///< [size], or [heads, size]; float32 where NormConfig::in_float32
  at::Tensor bias;    ///< [size] or undefined

  bool defined() const { return weight.defined(); }
};

/// RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467) over the last dimension, computed in
/// float32. The product with the weight is taken in the weight's dtype: rounded to x's dtype before
/// it (Llama) or, with a float32 weight, after it (Gemma).
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// LayerNorm over the last dimension. @param bias [size] or undefined.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps);

/// The norm that the model has; x itself when `norm` is not defined.
at::Tensor apply_norm(const at::Tensor& x, const Norm& norm, const NormConfig& config);

}  // namespace air
