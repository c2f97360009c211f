#include "model/linear.h"

#include "model/kernels/kernels.h"

namespace air {

at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return kernels_of(x).linear(x, weight, bias);
}

at::Tensor apply_linear(const Linear& linear, const at::Tensor& x) {
  return linear_product(x, linear.weight, linear.bias);
}

void add_linear(at::Tensor& sums, const Linear& linear, const at::Tensor& x) {
  const auto add_product = kernels_of(x).add_product;
  if (add_product != nullptr && !linear.bias.defined() && sums.scalar_type() == x.scalar_type())
    add_product(sums, x, linear.weight);
  else
    sums.add_(apply_linear(linear, x));
}

}  // namespace air
