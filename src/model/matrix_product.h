// x · Wᵀ by the fastest matrix product that libtorch carries for the device.
#pragma once

#include <ATen/core/Tensor.h>

namespace air {

/// @param x [rows, in]   @param weight [out, in]   @param bias [out] or undefined   @return [rows,
/// out] float32 on the CPU goes to oneDNN: at::linear takes MKL there, which leaves AVX-512 unused
/// on processors that are not Intel's (113 against 255 GFLOP/s a core, measured); where both use it
/// they are equally fast.
at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight,
                          const at::Tensor& bias = {});

/// False in a libtorch that was built without oneDNN: linear_product is at::linear there.
bool one_dnn_is_there();

}  // namespace air
