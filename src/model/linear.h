// Linear maps.
#pragma once

#include <ATen/core/Tensor.h>

namespace air {

/// y = x · weightᵀ + bias.
struct Linear {
  at::Tensor weight;  ///< [out, in], or in panels (kernels/weight_panels.h)
  at::Tensor bias;    ///< [out] or undefined
};

/// By the fastest matrix product that libtorch has for the device.
/// @param x [rows, in]   @param weight as in Linear   @param bias [out] or undefined
/// @return [rows, out]
at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight,
                          const at::Tensor& bias = {});

at::Tensor apply_linear(const Linear& linear, const at::Tensor& x);

/// Adds apply_linear(linear, x) to `sums`, [rows, out]: a residual connection. Where the device
/// adds as it multiplies, the sum is rounded once.
void add_linear(at::Tensor& sums, const Linear& linear, const at::Tensor& x);

}  // namespace air
