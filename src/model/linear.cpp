#include "model/linear.h"

#include "model/kernels/kernels.h"

namespace air {

at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return kernels_of(x).linear(x, weight, bias);
}

at::Tensor apply_linear(const Linear& linear, const at::Tensor& x) {
  return linear_product(x, linear.weight, linear.bias);
}

}  // namespace air
