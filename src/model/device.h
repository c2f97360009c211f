// Where a model runs and in which precision.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <vector>

namespace air {

/// `--device auto|cpu|cuda|cuda:N`. auto: the first GPU, else the CPU. @throws Error(kUsage) for
/// other words, Error(kResource) for a device that is not there or whose libraries do not load.
c10::Device parse_device(const std::string& text);

/// Whether the libtorch that this runs on is a CUDA build.
bool has_cuda_kernels();

/// All that `--device` accepts here: "cpu", "cuda:0", ….
/// @throws Error(kResource) when there is a driver and the CUDA libraries do not load.
std::vector<std::string> visible_devices();

/// `--dtype auto|float32|bfloat16|float16`; auto: float32 on the CPU (bfloat16 is slower there),
/// bfloat16 on CUDA.
c10::ScalarType parse_dtype(const std::string& text, c10::Device device);

/// "float32", …
std::string dtype_name(c10::ScalarType dtype);

/// A tensor of the host on the device; the host does not wait for the copy.
at::Tensor upload(const at::Tensor& host, c10::Device device);

}  // namespace air
