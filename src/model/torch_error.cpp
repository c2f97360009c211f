#include "model/torch_error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <string>
#include <string_view>

#include "base/system_error.h"

namespace air {

namespace {

/// A failure of a GPU, by words of its message.
struct GpuFailure {
  std::string_view words;
  const char* hint;
  ErrorKind kind = ErrorKind::kResource;
};

constexpr const char* kReportKernel =
    "please report this with the command that you ran; with CUDA_LAUNCH_BLOCKING=1 set the message "
    "names the operation";
constexpr const char* kOtherBuild =
    "this build of torch has no code for this GPU, another build may have it "
    "(torch.cuda.get_arch_list() names the architectures); --device cpu needs no GPU";
constexpr const char* kNewerDriver =
    "the NVIDIA driver is too old for this torch: a newer driver or a build of torch for an older "
    "CUDA helps (nvidia-smi names the driver's CUDA); --device cpu needs no GPU";
constexpr const char* kDriverMismatch =
    "the driver's library and its kernel module differ in version: after an update of the driver "
    "the machine must be restarted; in a container the host's driver counts";
constexpr const char* kBroken =
    "the GPU or its driver failed: nvidia-smi and the kernel's log (dmesg, \"NVRM: Xid\") say more";

// CUDA's texts (cudaGetErrorString) and libtorch's own. The first that fits counts.
constexpr GpuFailure kGpuFailures[] = {
    {"no kernel image is available", kOtherBuild},
    {"device kernel image is invalid", kOtherBuild},
    {"PTX was compiled with an unsupported toolchain", kNewerDriver},
    {"driver version is insufficient", kNewerDriver},
    {"driver on your system is too old", kNewerDriver},
    {"unsupported display driver / cuda driver combination", kDriverMismatch},
    {"forward compatibility was attempted", kDriverMismatch},
    {"busy or unavailable",
     "another process has the GPU for itself: nvidia-smi shows the compute mode and the processes"},
    {"system not yet initialized",
     "GPUs that are joined by NVSwitch need the service nvidia-fabricmanager"},
    {"CUBLAS_STATUS_NOT_INITIALIZED",
     "most often the GPU's memory is full: nvidia-smi shows who holds it"},
    {"CUBLAS_STATUS_INVALID_VALUE", kReportKernel, ErrorKind::kBug},
    {"CUBLAS_STATUS_NOT_SUPPORTED", kReportKernel, ErrorKind::kBug},
    {"no kernel found to launch", kReportKernel, ErrorKind::kBug},  // of efficient attention
    {"device-side assert", kReportKernel, ErrorKind::kBug},
    {"illegal memory access", kReportKernel, ErrorKind::kBug},
    {"CUDA error: invalid", kReportKernel, ErrorKind::kBug},  // argument, configuration, …
    {"CUDA error:", kBroken},
    {"CUDA driver error:", kBroken},
};

/// What helps where memory ran out.
std::string memory_hint() {
  const std::string smaller = "air score needs less with a smaller --max-batch-tokens";
  const std::string limit = memory_limit_hint_of_torch();
  return limit.empty() ? smaller : limit + "; " + smaller;
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) return false;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
      dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr)
    return true;
  // The CPU's allocator throws libtorch's general error, oneDNN one of its own, cuBLAS and cuDNN
  // their status.
  const std::string_view what = error.what();
  // oneDNN says no more than that it has no primitive; for one that it does not know at all it says
  // "primitive descriptor".
  constexpr std::string_view kMessages[] = {
      "DefaultCPUAllocator: can't allocate memory", "out of memory", "could not create a memory",
      "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"};
  if (what == "could not create a primitive") return true;
  return std::any_of(std::begin(kMessages), std::end(kMessages), [&](std::string_view message) {
    return what.find(message) != std::string_view::npos;
  });
}

Error explain(const std::exception& error) {
  if (is_out_of_memory(error)) return {ErrorKind::kResource, "", "out of memory", memory_hint()};
  const Error of_system = explain_system(error);
  if (of_system.kind() != ErrorKind::kBug || dynamic_cast<const Error*>(&error) != nullptr)
    return of_system;
  const std::string what = error.what();
  const std::string message = what.substr(0, what.find('\n'));  // a C++ stack follows
  for (const GpuFailure& failure : kGpuFailures)
    if (message.find(failure.words) != std::string::npos)
      return {failure.kind, "GPU", message, failure.hint};
  return of_system;
}

}  // namespace air
