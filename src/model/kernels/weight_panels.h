// Weights of linear maps in the layout that the micro kernels of oneDNN read, so that no product
// copies them into it anew.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace air {

/// Whether products of the CPU read the weight fastest in panels.
/// @param weight [out, in]   @param dtype of the products
bool suits_panels(const at::Tensor& weight, at::ScalarType dtype);

/// A copy in panels of 64 outputs, [out / 64, in / P, 64, P], where P numbers take four bytes.
/// @param weight [out, in], of any dtype and strides; suits_panels
at::Tensor weight_in_panels(const at::Tensor& weight, at::ScalarType dtype);

bool in_panels(const at::Tensor& weight);

/// C = A · panel, in steps of rows and of depth that suit the caches. Numbers of C are float32.
struct PanelProduct {
  at::ScalarType type;  ///< of A and the panel
  int64_t rows;         ///< A [rows, depth], C [rows, width]
  int64_t width = 64;   ///< columns of the panel that are multiplied; few different numbers
  int64_t depth;
  const char* a;
  const uint32_t* panel;  ///< of weight_in_panels
  float* c;
  int64_t c_stride;
};
void multiply_panel(const PanelProduct& product);

/// x · weightᵀ + bias with sums in float32, rounded once. Threads share the panels.
/// @param x [rows, in], contiguous   @param weight in panels   @param bias [out] or undefined
/// @return [rows, out]
at::Tensor panel_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace air
