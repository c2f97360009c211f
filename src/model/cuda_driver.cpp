#include "model/cuda_driver.h"

#include <dlfcn.h>

namespace air {

namespace {

void* driver_library() {
  static void* const library = ::dlopen("libcuda.so.1", RTLD_LAZY);
  return library;
}

/// Calls a function of the driver. They return a CUresult, 0 for success; -1: it is not there.
template <typename... Arguments>
int call_driver(const char* name, Arguments... arguments) {
  void* const library = driver_library();
  void* const symbol = library != nullptr ? ::dlsym(library, name) : nullptr;
  if (symbol == nullptr) return -1;
  return reinterpret_cast<int (*)(Arguments...)>(symbol)(arguments...);
}

/// 12020 → "12.2".
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

bool has_cuda_driver() { return driver_library() != nullptr; }

int cuda_driver_version() {
  int version = 0;
  return call_driver("cuDriverGetVersion", &version) == 0 ? version : 0;
}

std::string cuda_driver_problem() {
  const int result = call_driver("cuInit", 0U);
  if (result <= 0) return "";
  const char* text = nullptr;
  call_driver("cuGetErrorString", result, &text);
  return text != nullptr ? text : "CUDA driver error " + std::to_string(result);
}

int cuda_device_attribute(int attribute, int index) {
  int device = 0, value = 0;
  if (call_driver("cuInit", 0U) != 0 || call_driver("cuDeviceGet", &device, index) != 0) return 0;
  return call_driver("cuDeviceGetAttribute", &value, attribute, device) == 0 ? value : 0;
}

std::string describe_missing_gpu(int driver, int torch, const std::string& problem,
                                 const char* visible) {
  // Within one major version an older driver serves a newer CUDA.
  if (driver > 0 && torch > 0 && driver / 1000 < torch / 1000)
    return "the NVIDIA driver serves CUDA " + version_text(driver) +
           " at most, and this torch is built for CUDA " + version_text(torch);
  const std::string hidden =
      visible != nullptr ? "CUDA_VISIBLE_DEVICES is \"" + std::string(visible) + "\"" : "";
  if (problem.empty()) return "torch sees none" + (hidden.empty() ? "" : "; " + hidden);
  return "the driver says: " + problem + (hidden.empty() ? "" : "; " + hidden);
}

}  // namespace air
