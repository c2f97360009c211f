// Mamba-2 (Dao and Gu 2024, arXiv:2405.21060): a linear recurrence with a decay for each head, in
// place of attention or beside it.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/chunked_scan.h"
#include "model/linear.h"
#include "model/model_config.h"

namespace air {

/// Its weights. H heads of P channels; G groups of heads, each with an input and an output vector
/// of S numbers. Heads are worked on in units of u, all of one group: U = H / u.
struct Mamba2 {
  Linear gate_proj;       ///< [H · P, hidden]
  Linear channels_proj;   ///< [H · P + 2 · G · S, hidden]: what is written, B, C
  Linear steps_proj;      ///< [H, hidden]
  at::Tensor head_conv;   ///< [U, W, u · P] float32; the token's own weights are the last
  at::Tensor head_bias;   ///< [U, u · P] float32, or undefined
  at::Tensor group_conv;  ///< [G, W, 2 · S] float32: of B and C
  at::Tensor group_bias;  ///< [G, 2 · S] float32, or undefined
  at::Tensor a_log;       ///< [H] float32
  at::Tensor step_bias;   ///< [H] float32
  at::Tensor skip;        ///< [H] float32: of what is written, past the state (D)
  at::Tensor norm;        ///< [H · P] float32, or undefined
  Linear out_proj;        ///< [hidden, H · P]

  bool defined() const { return channels_proj.weight.defined(); }
};

/// What the recurrence reads. The last row is zero, and stands for tokens that are not there.
struct Mamba2Inputs {
  at::Tensor heads;   ///< [U, N + 1, u · P], before the convolution
  at::Tensor groups;  ///< [G, N + 1, 2 · S]: B and C, before the convolution
  at::Tensor rates;   ///< [U, N + 1, 2 · u] float32: log decays, then steps

  Mamba2Inputs(const Mamba2Config& config, int64_t rows, const at::TensorOptions& options);
  /// Projects rows that were normalised and stores them from row `begin` on.
  void store(const Mamba2& weights, const at::Tensor& normed, int64_t begin,
             const Mamba2Config& config);
};

/// Convolution, recurrence. Per head, with the state h [S, P] in float32 and a step t for each
/// token:
///   h = exp(−t · exp(a_log)) · h + B (t · x)ᵀ;  out = hᵀ C + skip · x
/// where x, B, C went through the convolution. In chunks, so that it is matrix products.
/// @return [U, N + 1, u · P]; the last row holds nothing
at::Tensor mamba2_scan(const Mamba2& weights, const Mamba2Inputs& inputs, const ScanPlan& plan,
                       const Mamba2Config& config);

/// What the mixer puts out for rows [begin, …): of a scan's result, gated, normalised, projected.
/// @param normed [rows, hidden]: what the mixer read there   @return [rows, hidden]
at::Tensor mamba2_rows(const Mamba2& weights, const at::Tensor& scanned, int64_t begin,
                       const at::Tensor& normed, const Mamba2Config& config);

}  // namespace air
