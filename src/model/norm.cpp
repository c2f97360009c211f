#include "model/norm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>

#include "model/row_kernels.h"

namespace air {

namespace {

bool is_plain_float(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous();
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (is_plain_float(x) && is_plain_float(weight) && weight.dim() == 1) {
    at::Tensor out = at::empty_like(x);
    const int64_t width = weight.size(0);
    rms_norm_rows(x.const_data_ptr<float>(), x.numel() / width, width,
                  weight.const_data_ptr<float>(), static_cast<float>(eps), out.data_ptr<float>());
    return out;
  }
  at::Tensor wide = x.to(at::kFloat);
  const at::Tensor inverse =
      wide.square().mean(at::IntArrayRef{-1}, /*keepdim=*/true).add_(eps).rsqrt_();
  return (wide * inverse).to(weight.scalar_type()).mul_(weight).to(x.scalar_type());
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
