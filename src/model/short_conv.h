// A gated convolution over a few tokens, in place of attention (LFM2): out(gate · conv(b · x)).
#pragma once

#include <ATen/core/Tensor.h>

#include "model/linear.h"

namespace air {

/// Its weights; the gate and the output projection are the layer's.
struct ShortConv {
  Linear b_proj, x_proj;  ///< [hidden, hidden]
  at::Tensor conv;        ///< [W, hidden] float32; the token's own weights are the last
  at::Tensor conv_bias;   ///< [hidden] float32 or undefined
};

/// What is convolved. @param normed [rows, hidden]   @return [rows, hidden]
at::Tensor short_conv_input(const ShortConv& weights, const at::Tensor& normed);

/// @param inputs [N + 1, hidden], the last row zero   @param taps [W, rows] (ScanPlan)
/// @return [rows, hidden]
at::Tensor short_conv_rows(const ShortConv& weights, const at::Tensor& inputs,
                           const at::Tensor& taps);

}  // namespace air
