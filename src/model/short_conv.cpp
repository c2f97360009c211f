#include "model/short_conv.h"

#include <ATen/TensorOperators.h>

#include "model/causal_conv.h"

namespace air {

at::Tensor short_conv_input(const ShortConv& weights, const at::Tensor& normed) {
  return apply_linear(weights.b_proj, normed).mul_(apply_linear(weights.x_proj, normed));
}

at::Tensor short_conv_rows(const ShortConv& weights, const at::Tensor& inputs,
                           const at::Tensor& taps) {
  const at::Tensor out = causal_conv(inputs, weights.conv, taps);
  return weights.conv_bias.defined() ? (out + weights.conv_bias).to(out.scalar_type()) : out;
}

}  // namespace air
