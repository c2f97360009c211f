// Where a model runs and in which precision.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <vector>

namespace air {

/// `--device auto|cpu|cuda|cuda:N`, ready for use (prepare_device). auto: the first GPU, else the
/// CPU; where a CUDA build of torch finds no GPU, a message says why.
/// @throws Error(kUsage) for other words, Error(kResource) for a device that is not there or whose
/// libraries do not load, what prepare_device throws.
c10::Device parse_device(const std::string& text);

/// Makes a GPU the current device, with use_exact_products, and runs one kernel on it. Does nothing
/// for the CPU. @throws c10::Error when the GPU can't run it (model/torch_error.h explains).
void prepare_device(c10::Device device);

/// Settings of libtorch for CUDA: products of float32 are of float32 (no TF32), sums of products in
/// half precision are of float32, and attention is not cuDNN's, which makes a plan for every new
/// length.
void use_exact_products();

/// Whether the libtorch that this runs on is a CUDA build.
bool has_cuda_kernels();

/// All that `--device` accepts here: "cpu", "cuda:0", ….
/// @throws Error(kResource) when there is a driver and the CUDA libraries do not load.
std::vector<std::string> visible_devices();

/// `--dtype auto|float32|bfloat16|float16`, or fp32, bf16, fp16; auto: float32 on the CPU, on a GPU
/// auto_gpu_dtype, with a warning where that is float16. Warns where a CPU has no products of the
/// dtype. @throws Error(kUsage) for an unknown dtype, and as require_gpu_dtype
c10::ScalarType parse_dtype(const std::string& text, c10::Device device);

/// bfloat16; float16 on GPUs without bfloat16. @param compute_capability 0: not known.
c10::ScalarType auto_gpu_dtype(int compute_capability);

/// @throws Error(kUsage) for bfloat16 where auto_gpu_dtype is float16: no attention kernel there
/// takes it
void require_gpu_dtype(c10::ScalarType dtype, int compute_capability);

/// What a GPU can do: 90 for compute capability 9.0; 0 when the driver doesn't say.
int cuda_compute_capability(c10::Device device);

/// "float32", …
std::string dtype_name(c10::ScalarType dtype);

/// A tensor of the host on the device; the host does not wait for the copy.
at::Tensor upload(const at::Tensor& host, c10::Device device);

/// Returns freed memory that the allocators of the host and of the GPU in use keep, so that anyone
/// can take it.
void return_freed_memory();

/// The most memory that tensors have taken on a GPU at one time, bytes; 0 for the CPU, or when this
/// torch doesn't say.
int64_t peak_device_memory_bytes(c10::Device device);

}  // namespace air
