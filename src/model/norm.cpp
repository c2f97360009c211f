#include "model/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/layer_norm.h>

#include "model/kernels/kernels.h"

namespace air {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return kernels_of(x).rms_norm(x, weight, eps);
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      double eps) {
  if (weight.dim() > 1) return layer_norm(x, {}, {}, eps).mul_(weight);
  if (!weight.defined()) return at::layer_norm(x, {x.size(-1)}, {}, {}, eps);
  const at::ScalarType wider = c10::promoteTypes(x.scalar_type(), weight.scalar_type());
  return at::layer_norm(x.to(wider), {x.size(-1)}, weight.to(wider),
                        bias.defined() ? bias.to(wider) : bias, eps)
      .to(x.scalar_type());
}

at::Tensor apply_norm(const at::Tensor& x, const Norm& norm, const NormConfig& config) {
  if (!norm.defined()) return x;
  if (config.kind == NormKind::kLayer) return layer_norm(x, norm.weight, norm.bias, config.eps);
  return rms_norm(x, norm.weight, config.eps);
}

}  // namespace air
