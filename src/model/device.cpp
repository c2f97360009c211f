#include "model/device.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/ones.h>

#include <dlfcn.h>
#include <linux/limits.h>
#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#endif

#include "base/error.h"
#include "base/log.h"
#include "model/cuda_driver.h"
#include "model/kernels/micro_kernel.h"

namespace air {

namespace {

/// The library with the CUDA kernels: a CUDA build of libtorch has it beside libtorch_cpu.
std::string cuda_library() {
  void* cpu_library = ::dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
  char folder[PATH_MAX];
  AIR_CHECK(cpu_library && ::dlinfo(cpu_library, RTLD_DI_ORIGIN, folder) == 0);
  return std::string(folder) + "/libtorch_cuda.so";
}

/// Variables that would round products of float32 to TF32. cuBLAS reads its own, which outweighs
/// what libtorch asks for, when it is loaded; use_exact_products outweighs libtorch's.
void forbid_tf32() {
  constexpr const char* kCublas = "NVIDIA_TF32_OVERRIDE";
  for (const char* variable : {kCublas, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && std::string_view(value) != "0")
      spdlog::warn("{}={} is ignored: float32 stays float32", variable, value);
  }
  if (std::getenv(kCublas) != nullptr) ::setenv(kCublas, "0", /*overwrite=*/1);
}

/// Loads the CUDA kernels, which register themselves; ATen must not have been asked about CUDA
/// before. air does not link them, so that one program runs with CPU builds and CUDA builds, and
/// does not load them without need: that takes about half a second.
/// @return why no GPU can be used, empty when the kernels are there.
/// @throws Error(kResource) when there is a driver and they do not load.
std::string load_cuda_kernels() {
  if (!has_cuda_kernels()) return "this torch is a build without CUDA";
  if (!has_cuda_driver()) return "there is no NVIDIA driver (libcuda.so.1)";
  forbid_tf32();
  if (!::dlopen(cuda_library().c_str(), RTLD_NOW | RTLD_GLOBAL))
    throw Error(ErrorKind::kResource, "CUDA", ::dlerror(),
                "--device cpu needs no GPU; reinstalling torch with its nvidia packages helps");
  const at::CUDAHooksInterface& hooks = at::detail::getCUDAHooks();
  AIR_CHECK(hooks.hasCUDART());  // else they came too late to register
  if (at::hasCUDA()) return "";
  return describe_missing_gpu(cuda_driver_version(), static_cast<int>(hooks.versionCUDART()),
                              cuda_driver_problem(), std::getenv("CUDA_VISIBLE_DEVICES"));
}

int64_t cuda_device_count() { return static_cast<int64_t>(at::accelerator::deviceCount()); }

/// `--device auto`.
c10::Device find_device() {
  const std::string problem = load_cuda_kernels();
  if (problem.empty()) return c10::Device(c10::kCUDA, 0);
  if (has_cuda_kernels()) spdlog::info("--device auto takes the CPU: {}", problem);
  return c10::Device(c10::kCPU);
}

/// `cuda` or `cuda:N`.
c10::Device named_gpu(const std::string& text) {
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
  const c10::Device device = text == "auto" ? find_device() : named_gpu(text);
  prepare_device(device);
  return device;
}

void prepare_device(c10::Device device) {
  if (!device.is_cuda()) return;
  // The current device decides what libtorch asks without naming one: the default stream,
  // page-locked memory, which kernels of attention there are.
  at::accelerator::setDeviceIndex(device.index());
  use_exact_products();
  const at::Tensor one = at::ones({1}, at::TensorOptions().device(device));
  AIR_CHECK(one.add(one).cpu().item().toFloat() == 2);
}

void use_exact_products() {
  at::Context& context = at::globalContext();
  context.setSDPUseCuDNN(false);
  context.setFloat32MatmulPrecision("highest");
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
}

namespace {

/// `--dtype auto`.
c10::ScalarType find_dtype(c10::Device device) {
  if (!device.is_cuda()) return c10::kFloat;
  const int capability = cuda_compute_capability(device);
  const c10::ScalarType dtype = auto_gpu_dtype(capability);
  if (dtype == c10::kHalf)
    spdlog::warn(
        "this GPU (compute capability {}.{}) does not support bfloat16: the model runs in "
        "float16, which can overflow; --dtype float32 can't",
        capability / 10, capability % 10);
  return dtype;
}

/// None for other words than the names of dtypes.
std::optional<c10::ScalarType> dtype_of(std::string_view name) {
  if (name == "float32" || name == "fp32") return c10::kFloat;
  if (name == "bfloat16" || name == "bf16") return c10::kBFloat16;
  if (name == "float16" || name == "fp16") return c10::kHalf;
  return std::nullopt;
}

void warn_of_missing_products(c10::ScalarType dtype) {
  if (!is_half(dtype) || has_micro_kernel(dtype)) return;
  spdlog::warn(
      "this processor does not multiply in {} ({} or AMX): products are computed in float32; the "
      "weights take half of the memory, and nothing is faster than with --dtype float32",
      dtype_name(dtype), dtype == c10::kHalf ? "AVX512-FP16" : "AVX512-BF16");
}

}  // namespace

c10::ScalarType parse_dtype(const std::string& text, c10::Device device) {
  if (text == "auto") return find_dtype(device);
  const std::optional<c10::ScalarType> dtype = dtype_of(text);
  if (!dtype)
    throw Error(ErrorKind::kUsage, "--dtype " + text, "unknown dtype",
                "auto, float32, bfloat16 or float16");
  if (device.is_cpu()) warn_of_missing_products(*dtype);
  if (device.is_cuda()) require_gpu_dtype(*dtype, cuda_compute_capability(device));
  return *dtype;
}

void require_gpu_dtype(c10::ScalarType dtype, int compute_capability) {
  if (dtype != c10::kBFloat16 || auto_gpu_dtype(compute_capability) == c10::kBFloat16) return;
  throw Error(ErrorKind::kUsage, "--dtype bfloat16",
              "this GPU (compute capability " + std::to_string(compute_capability / 10) + "." +
                  std::to_string(compute_capability % 10) + ") does not compute in bfloat16",
              "--dtype float16, which can overflow, or float32, which can't");
}

c10::ScalarType auto_gpu_dtype(int compute_capability) {
  constexpr int kFirstWithBFloat16 = 80;
  const bool has_none = compute_capability > 0 && compute_capability < kFirstWithBFloat16;
  return has_none ? c10::kHalf : c10::kBFloat16;
}

int cuda_compute_capability(c10::Device device) {
  AIR_CHECK(device.is_cuda());
  constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…
  const int index = std::max<int>(device.index(), 0);
  return 10 * cuda_device_attribute(kMajor, index) + cuda_device_attribute(kMinor, index);
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

// The functions of libtorch below are as old as memory_plan's getMemoryInfo.
#if defined(TORCH_VERSION_MAJOR) && (TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 11)
#define AIR_HAS_DEVICE_ALLOCATOR 1
#else
#define AIR_HAS_DEVICE_ALLOCATOR 0
#endif

void return_freed_memory() {
  ::malloc_trim(0);
#if AIR_HAS_DEVICE_ALLOCATOR
  if (at::hasCUDA()) at::accelerator::emptyCache();
#endif
}

int64_t peak_device_memory_bytes(c10::Device device) {
#if AIR_HAS_DEVICE_ALLOCATOR
  using c10::CachingAllocator::StatType;
  if (device.is_cuda())
    return at::accelerator::getDeviceStats(device.index())
        .allocated_bytes[static_cast<size_t>(StatType::AGGREGATE)]
        .peak;
#endif
  return 0;
}

}  // namespace air
