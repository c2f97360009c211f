#include "model/short_conv.h"

#include "model/causal_conv.h"

namespace air {

at::Tensor short_conv_input(const ShortConv& weights, const at::Tensor& normed) {
  return apply_linear(weights.b_proj, normed).mul_(apply_linear(weights.x_proj, normed));
}

at::Tensor short_conv_rows(const ShortConv& weights, const at::Tensor& inputs,
                           const at::Tensor& taps) {
  return causal_conv(inputs, weights.conv, weights.conv_bias, taps);
}

}  // namespace air
