// Weights of linear maps in the layout that the micro kernels of oneDNN read, so that no product
// copies them into it anew.
#pragma once

#include <ATen/core/Tensor.h>

namespace air {

/// Whether oneDNN's micro kernels multiply numbers of this type on this processor: float32 with
/// AVX-512, bfloat16 and float16 as has_half_products says.
bool has_panel_products(at::ScalarType type);

/// Whether products of the CPU read the weight fastest in panels.
/// @param weight [out, in]   @param dtype of the products
bool suits_panels(const at::Tensor& weight, at::ScalarType dtype);

/// A copy in panels of 64 outputs, [out / 64, in / P, 64, P], where P numbers take four bytes.
/// @param weight [out, in], of any dtype and strides; suits_panels
at::Tensor weight_in_panels(const at::Tensor& weight, at::ScalarType dtype);

bool in_panels(const at::Tensor& weight);

/// x · weightᵀ + bias with sums in float32, rounded once. Threads share the panels.
/// @param x [rows, in], contiguous   @param weight in panels   @param bias [out] or undefined
/// @return [rows, out]
at::Tensor panel_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace air
