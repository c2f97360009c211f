// oneDNN's matrix product, which libtorch carries but does not use for at::linear.
#pragma once

#include <ATen/core/Tensor.h>

namespace air {

/// False in a libtorch that was built without oneDNN.
bool has_onednn();

/// x · weightᵀ + bias in float32 on the CPU; at::linear where oneDNN is missing or the layout does
/// not suit it. at::linear takes MKL, which leaves AVX-512 unused on processors that are not
/// Intel's (113 against 255 GFLOP/s a core, measured); where both use it they are equally fast.
/// @param x [rows, in]   @param weight [out, in]   @param bias [out] or undefined
at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias = {});

}  // namespace air
