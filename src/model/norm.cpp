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
  const at::Tensor input = weight.defined() ? x.to(weight.scalar_type()) : x;
  return at::layer_norm(input, {x.size(-1)}, weight, bias, eps).to(x.scalar_type());
}

at::Tensor apply_norm(const at::Tensor& x, const Norm& norm, const NormConfig& config) {
  if (!norm.defined()) return x;
  if (config.kind == NormKind::kLayer) return layer_norm(x, norm.weight, norm.bias, config.eps);
  return rms_norm(x, norm.weight, config.eps);
}

}  // namespace air
