#include "model/causal_conv.h"

#include <ATen/TensorOperators.h>

namespace air {

at::Tensor causal_conv(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const at::Tensor& taps) {
  const auto tap = [&](int64_t back) {
    return x.index_select(x.dim() - 2, taps[back]).to(at::kFloat);
  };
  const auto weight_of = [&](int64_t back) {
    return weight.select(-2, taps.size(0) - 1 - back).unsqueeze(-2);
  };
  at::Tensor sum = tap(0).mul_(weight_of(0));
  for (int64_t back = 1; back < taps.size(0); ++back) sum.addcmul_(tap(back), weight_of(back));
  if (bias.defined()) sum.add_(bias.unsqueeze(-2));
  return sum.to(x.scalar_type());
}

}  // namespace air
