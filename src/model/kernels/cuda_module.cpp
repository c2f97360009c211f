#include "model/kernels/cuda_module.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <linux/limits.h>

#include <filesystem>
#include <vector>

#include "base/error.h"

namespace air {

namespace {

// What is used of nvrtc.h and cuda.h. Their interfaces are stable: old names keep their meaning.
using NvrtcProgram = void*;
using NvrtcCreate = int (*)(NvrtcProgram*, const char* source, const char* name, int num_headers,
                            const char* const* headers, const char* const* include_names);
using NvrtcCompile = int (*)(NvrtcProgram, int num_options, const char* const* options);
using NvrtcSize = int (*)(NvrtcProgram, size_t*);
using NvrtcText = int (*)(NvrtcProgram, char*);
using NvrtcDestroy = int (*)(NvrtcProgram*);
using NvrtcErrorText = const char* (*)(int);
using DriverPointer = int (*)(void**);
using DriverDevice = int (*)(int* device);
using DriverAttribute = int (*)(int* value, int attribute, int device);
using DriverLoad = int (*)(void** module, const void* image);
using DriverFunction = int (*)(void** function, void* module, const char* name);

constexpr int kComputeCapabilityMajor = 75;  // CU_DEVICE_ATTRIBUTE_…
constexpr int kComputeCapabilityMinor = 76;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorKind::kResource, "own CUDA kernels", what);
}

template <typename Function>
Function function_of(const Nvrtc& library, const char* name) {
  return reinterpret_cast<Function>(library.find(name));
}

/// NVRTC opens its built-in declarations by their bare name, which finds them on the library path
/// or where they are loaded already; pip's wheels have them in NVRTC's own folder.
void load_builtins(void* function_of_nvrtc) {
  Dl_info info;
  if (::dladdr(function_of_nvrtc, &info) == 0) return;
  const std::filesystem::path folder = std::filesystem::canonical(info.dli_fname).parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("libnvrtc-builtins.so"))
      ::dlopen(entry.path().c_str(), RTLD_NOW);  // where it fails, the compiler says so
}

/// libtorch's own door to NVRTC and the driver, which knows where its wheel has NVRTC.
std::string nvrtc_of_torch() {
  void* torch = ::dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
  char folder[PATH_MAX];
  if (torch == nullptr || ::dlinfo(torch, RTLD_DI_ORIGIN, folder) != 0)
    fail("libtorch_cuda.so is not loaded");
  return std::string(folder) + "/libcaffe2_nvrtc.so";
}

/// A program of NVRTC; destroyed whatever happens.
class Program {
 public:
  Program(const Nvrtc& nvrtc, std::string_view source) : nvrtc_(nvrtc) {
    check("nvrtcCreateProgram",
          function_of<NvrtcCreate>(nvrtc, "nvrtcCreateProgram")(
              &program_, std::string(source).c_str(), "cuda_rows.cu", 0, nullptr, nullptr));
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { function_of<NvrtcDestroy>(nvrtc_, "nvrtcDestroyProgram")(&program_); }

  void compile(const std::vector<const char*>& options) {
    const int status = function_of<NvrtcCompile>(nvrtc_, "nvrtcCompileProgram")(
        program_, static_cast<int>(options.size()), options.data());
    if (status == 0) return;
    std::string log = text("nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
    while (!log.empty() && (log.back() == '\0' || log.back() == '\n')) log.pop_back();
    check(log, status);
  }

  std::string text(const char* size_function, const char* text_function) {
    size_t size = 0;
    check(size_function, function_of<NvrtcSize>(nvrtc_, size_function)(program_, &size));
    std::string out(size, '\0');
    check(text_function, function_of<NvrtcText>(nvrtc_, text_function)(program_, out.data()));
    return out;
  }

 private:
  void check(const std::string& what, int status) {
    if (status == 0) return;
    const char* text = function_of<NvrtcErrorText>(nvrtc_, "nvrtcGetErrorString")(status);
    fail(fmt::format("NVRTC: {} ({})", what, text));
  }

  const Nvrtc& nvrtc_;
  NvrtcProgram program_ = nullptr;
};

}  // namespace

Nvrtc::Nvrtc(const std::string& library) : library_(::dlopen(library.c_str(), RTLD_LAZY)) {
  if (library_ == nullptr) fail(::dlerror());
  load_builtins(find("nvrtcCreateProgram"));
}

void* Nvrtc::find(const char* name) const {
  void* found = ::dlsym(library_, name);
  if (found == nullptr) fail(fmt::format("there is no {}", name));
  return found;
}

std::string Nvrtc::compile(std::string_view source, const std::string& architecture) const {
  const std::string target = "--gpu-architecture=" + architecture;
  Program program(*this, source);
  program.compile({target.c_str(), "--std=c++17"});
  return program.text("nvrtcGetCUBINSize", "nvrtcGetCUBIN");
}

CudaModule::CudaModule(std::string_view source, std::span<const char* const> kernels) {
  const Nvrtc library(nvrtc_of_torch());
  error_text_ = function_of<decltype(error_text_)>(library, "cuGetErrorString");
  launch_ = function_of<Launch>(library, "cuLaunchKernel");
  const auto check = [&](const char* what, int status) {
    const char* text = nullptr;
    if (status == 0) return;
    error_text_(status, &text);
    fail(fmt::format("{}: {}", what, text ? text : "unknown error"));
  };
  void* context = nullptr;
  check("cuCtxGetCurrent", function_of<DriverPointer>(library, "cuCtxGetCurrent")(&context));
  if (context == nullptr) fail("no context is current");
  int device = 0, major = 0, minor = 0;
  check("cuCtxGetDevice", function_of<DriverDevice>(library, "cuCtxGetDevice")(&device));
  const auto attribute = function_of<DriverAttribute>(library, "cuDeviceGetAttribute");
  check("cuDeviceGetAttribute", attribute(&major, kComputeCapabilityMajor, device));
  check("cuDeviceGetAttribute", attribute(&minor, kComputeCapabilityMinor, device));
  const std::string code = library.compile(source, fmt::format("sm_{}{}", major, minor));
  void* module = nullptr;  // stays loaded, as the context does
  check("cuModuleLoadData",
        function_of<DriverLoad>(library, "cuModuleLoadData")(&module, code.data()));
  const auto get = function_of<DriverFunction>(library, "cuModuleGetFunction");
  for (const char* name : kernels) check(name, get(&kernels_[name], module, name));
}

void CudaModule::launch(const char* kernel, unsigned blocks, unsigned threads_x, unsigned threads_y,
                        void** arguments) const {
  const auto found = kernels_.find(kernel);
  AIR_CHECK(found != kernels_.end());
  const int status = launch_(found->second, blocks, 1, 1, threads_x, threads_y, 1,
                             /*shared_bytes=*/0, /*stream=*/nullptr, arguments, nullptr);
  if (status == 0) return;
  const char* text = nullptr;
  error_text_(status, &text);
  fail(fmt::format("{}: {}", kernel, text ? text : "unknown error"));
}

}  // namespace air
