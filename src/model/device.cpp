#include "model/device.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <dlfcn.h>
#include <linux/limits.h>

#include <charconv>
#include <filesystem>

#include "base/error.h"

namespace air {

namespace {

/// The library with the CUDA kernels: a CUDA build of libtorch has it beside libtorch_cpu.
std::string cuda_library() {
  void* cpu_library = ::dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
  char folder[PATH_MAX];
  AIR_CHECK(cpu_library && ::dlinfo(cpu_library, RTLD_DI_ORIGIN, folder) == 0);
  return std::string(folder) + "/libtorch_cuda.so";
}

/// Loads the CUDA kernels, which register themselves; ATen must not have been asked about CUDA
/// before. air does not link them, so that one program runs with CPU builds and CUDA builds, and
/// does not load them without need: that takes about half a second.
/// @return why no GPU can be used, empty when the kernels are there.
/// @throws Error(kResource) when there is a driver and they do not load.
std::string load_cuda_kernels() {
  if (!has_cuda_kernels()) return "this torch is a build without CUDA";
  if (!::dlopen("libcuda.so.1", RTLD_LAZY)) return "there is no NVIDIA driver (libcuda.so.1)";
  if (!::dlopen(cuda_library().c_str(), RTLD_NOW | RTLD_GLOBAL))
    throw Error(ErrorKind::kResource, "CUDA", ::dlerror(),
                "--device cpu runs without; installing torch anew with its nvidia packages helps");
  AIR_CHECK(at::detail::getCUDAHooks().hasCUDART());  // else they came too late to register
  return at::hasCUDA() ? "" : "torch sees none";
}

int64_t cuda_device_count() { return static_cast<int64_t>(at::accelerator::deviceCount()); }

}  // namespace

bool has_cuda_kernels() { return std::filesystem::exists(cuda_library()); }

std::vector<std::string> visible_devices() {
  std::vector<std::string> devices = {"cpu"};
  const int64_t count = load_cuda_kernels().empty() ? cuda_device_count() : 0;
  for (int64_t i = 0; i < count; ++i) devices.push_back("cuda:" + std::to_string(i));
  return devices;
}

c10::Device parse_device(const std::string& text) {
  if (text == "cpu") return c10::Device(c10::kCPU);
  if (text == "auto") return c10::Device(visible_devices().size() > 1 ? c10::kCUDA : c10::kCPU);
  int index = 0;
  bool valid = text == "cuda";
  if (text.starts_with("cuda:")) {
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + 5, end, index);
    valid = result.ec == std::errc() && result.ptr == end && index >= 0;
  }
  if (!valid)
    throw Error(ErrorKind::kUsage, "--device " + text, "unknown device",
                "auto, cpu, cuda or cuda:N");
  if (const std::string problem = load_cuda_kernels(); !problem.empty())
    throw Error(ErrorKind::kResource, "--device " + text, "no GPU: " + problem,
                "--device cpu runs everywhere; a CUDA build of torch and a driver bring the GPU");
  const int64_t count = cuda_device_count();
  if (index >= count)
    throw Error(ErrorKind::kResource, "--device " + text,
                "no such GPU: " + std::to_string(count) + " seen (from cuda:0)",
                "CUDA_VISIBLE_DEVICES hides GPUs");
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

c10::ScalarType parse_dtype(const std::string& text, c10::Device device) {
  if (text == "auto") return device.is_cuda() ? c10::kBFloat16 : c10::kFloat;
  if (text == "float32") return c10::kFloat;
  if (text == "bfloat16") return c10::kBFloat16;
  if (text == "float16") return c10::kHalf;
  throw Error(ErrorKind::kUsage, "--dtype " + text, "unknown dtype",
              "auto, float32, bfloat16 or float16");
}

std::string dtype_name(c10::ScalarType dtype) {
  switch (dtype) {
    case c10::kFloat:
      return "float32";
    case c10::kBFloat16:
      return "bfloat16";
    case c10::kHalf:
      return "float16";
    default:
      return c10::toString(dtype);
  }
}

at::Tensor upload(const at::Tensor& host, c10::Device device) {
  if (!device.is_cuda()) return host.to(device);
  // Only page-locked memory is copied while the host continues; libtorch keeps it until the copy is
  // done.
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace air
