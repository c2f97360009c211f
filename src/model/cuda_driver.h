// What NVIDIA's driver says of itself and its GPUs, asked without linking it.
#pragma once

#include <string>

namespace air {

/// Whether the driver's library (libcuda.so.1) is there.
bool has_cuda_driver();

/// The newest CUDA that the driver serves, 13000 for 13.0; 0 when it is not there or says nothing.
int cuda_driver_version();

/// The driver's own words for why it starts no GPU; empty when it starts, or is not there.
std::string cuda_driver_problem();

/// A CUdevice_attribute (cuda.h) of the GPU at an index of CUDA_VISIBLE_DEVICES; 0 when the driver
/// does not know it.
int cuda_device_attribute(int attribute, int index);

/// Why a CUDA build of torch sees no GPU although there is a driver.
/// @param driver, torch versions of CUDA, 13000 for 13.0; 0: not known
/// @param problem of cuda_driver_problem   @param visible CUDA_VISIBLE_DEVICES, null when not set
std::string describe_missing_gpu(int driver, int torch, const std::string& problem,
                                 const char* visible);

}  // namespace air
