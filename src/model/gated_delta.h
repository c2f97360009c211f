// Gated DeltaNet (Yang et al. 2024, arXiv:2412.06464): a linear recurrence that takes attention's
// place in a layer.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/linear.h"
#include "model/model_config.h"
#include "model/norm.h"
#include "model/scan_plan.h"

namespace air {

/// Its weights. C = 2 · Hk · Dk + Hv · Dv channels: queries, keys, values, heads one after another.
/// A key head serves r = Hv / Hk value heads, w = 2 · Dk + r · Dv channels in all.
struct GatedDelta {
  Linear qkv_proj;     ///< [C, hidden]
  Linear rates_proj;   ///< [2 · Hv, hidden]: how much is written (beta), then how much decays
  at::Tensor conv;     ///< [Hk, W, w] float32; the token's own weights are the last
  at::Tensor a_log;    ///< [Hv] float32
  at::Tensor dt_bias;  ///< [Hv] float32
  Norm out_norm;       ///< [Dv] float32

  bool defined() const { return conv.defined(); }
};

/// What the recurrence reads, key head by key head. The last row is zero, and stands for tokens
/// that are not there.
struct DeltaInputs {
  at::Tensor qkv;    ///< [Hk, N + 1, w], before the convolution
  at::Tensor rates;  ///< [Hk, N + 1, 2 · r] float32: log decays, then betas

  DeltaInputs(const GatedDeltaConfig& config, int64_t rows, const at::TensorOptions& options);
  /// Projects rows that were normalised and stores them from row `begin` on.
  void store(const GatedDelta& weights, const at::Tensor& normed, int64_t begin,
             const GatedDeltaConfig& config);
};

/// Convolution, recurrence: what each value head reads out of its state, before the norm. Per value
/// head, with S [Dk, Dv] in float32:
///   S = exp(g) · S;  S = S + k (β (v − Sᵀ k))ᵀ;  out = Sᵀ q / √Dk
/// where q, k, v went through the convolution, and q, k have length 1. In chunks (Yang et al. 2024,
/// arXiv:2406.06484), so that it is matrix products.
/// @return [Hk, N + 1, r · Dv]; the last row holds nothing
at::Tensor gated_delta_scan(const GatedDelta& weights, const DeltaInputs& inputs,
                            const ScanPlan& plan, const GatedDeltaConfig& config,
                            Activation activation);

/// Rows [begin, begin + length) of a scan's result, normalised per head. @return [length, Hv · Dv]
at::Tensor gated_delta_rows(const GatedDelta& weights, const at::Tensor& scanned, int64_t begin,
                            int64_t length, const GatedDeltaConfig& config);

}  // namespace air
