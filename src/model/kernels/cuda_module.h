// CUDA source compiled and run without the CUDA toolkit: by NVRTC, which every CUDA build of torch
// brings, and the driver. No CUDA headers, no nvcc.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "model/kernels/cuda_calls.h"

namespace air {

/// A library with the functions of NVRTC: libnvrtc itself, or what depends on it.
class Nvrtc {
 public:
  /// @throws Error(kResource) naming the library where it does not load.
  explicit Nvrtc(const std::string& library);

  /// @param architecture such as "sm_90"   @return machine code for it (a cubin)
  /// @throws Error(kResource) with the compiler's messages where the source does not compile.
  std::string compile(std::string_view source, const std::string& architecture) const;

  /// A function of the library or of what it depends on.
  /// @throws Error(kResource) where there is none of this name.
  void* find(const char* name) const;

 private:
  void* library_;  // stays loaded
};

/// The kernels of a source, compiled for one device and loaded there.
class CudaModule {
 public:
  /// For the current device, which ATen has been used on. libtorch_cuda is loaded already.
  /// @param kernels the names of extern "C" kernels
  /// @throws Error(kResource) naming what failed.
  CudaModule(std::string_view source, std::span<const char* const> kernels);

  /// Starts a kernel on the default stream, where ATen's run, of the current device.
  /// @throws Error(kResource) where the driver refuses; then it has not been started.
  template <typename... Arguments>
  void start(const KernelCall<Arguments...>& call) const {
    if (call.blocks == 0) return;
    auto arguments = call.arguments;
    std::apply(
        [&](auto&... argument) {
          void* pointers[] = {&argument...};
          launch(call.kernel, call.blocks, call.threads_x, call.threads_y, pointers);
        },
        arguments);
  }

 private:
  using Launch = int (*)(void* kernel, unsigned blocks_x, unsigned blocks_y, unsigned blocks_z,
                         unsigned threads_x, unsigned threads_y, unsigned threads_z,
                         unsigned shared_bytes, void* stream, void** arguments, void** extra);

  void launch(const char* kernel, unsigned blocks, unsigned threads_x, unsigned threads_y,
              void** arguments) const;

  Launch launch_ = nullptr;
  int (*error_text_)(int error, const char** text) = nullptr;
  std::map<std::string, void*, std::less<>> kernels_;
};

}  // namespace air
