// A causal convolution of each channel with itself, over packed sequences.
#pragma once

#include <ATen/core/Tensor.h>

namespace air {

/// Σ over j of weight[W − 1 − j] · x[taps[j]], and the bias.
/// @param x [heads, N + 1, w], or [N + 1, w]   @param weight [heads, W, w] or [W, w], float32
/// @param bias [heads, w] or [w], float32, or undefined
/// @param taps [W, rows] int64: the token, the one before it, … (ScanPlan)
/// @return [heads, rows, w] or [rows, w], summed in float32, in x's dtype
at::Tensor causal_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& taps);

}  // namespace air
