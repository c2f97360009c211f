#include "model/torch_error.h"

#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace air {
namespace {

using testing::HasSubstr;
using testing::Not;

/// What `explain` makes of what `fail` throws.
Error explained(const std::function<void()>& fail) {
  try {
    fail();
  } catch (const std::exception& e) {
    return explain(e);
  }
  throw std::logic_error("nothing was thrown");
}

bool runs_out_of_memory(const std::function<void()>& fail) {
  try {
    fail();
  } catch (const std::exception& e) {
    return is_out_of_memory(e);
  }
  throw std::logic_error("nothing was thrown");
}

TEST(TorchError, WhatRunsOutOfMemoryIsRecognised) {
  const std::vector<std::function<void()>> ways = {
      [] { throw std::bad_alloc(); },
      [] {
        TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate 2.00 GiB");
      },
      [] { TORCH_CHECK(false, "CUDA error: out of memory"); },
      [] { TORCH_CHECK(false, "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `x`"); },
      [] { at::empty({int64_t{1} << 55}); },  // the CPU's allocator itself
      [] { throw std::runtime_error("could not create a primitive"); },  // oneDNN
  };
  for (const auto& way : ways) {
    EXPECT_TRUE(runs_out_of_memory(way));
    const Error error = explained(way);
    EXPECT_EQ(error.kind(), ErrorKind::kResource);
    EXPECT_STREQ(error.what(), "out of memory");
    EXPECT_THAT(error.hint(), HasSubstr("--max-batch-tokens"));
  }
}

TEST(TorchError, OtherErrorsAreNotOutOfMemory) {
  const std::vector<std::function<void()>> ways = {
      [] { throw Error(ErrorKind::kModel, "", "out of memory is not what this is"); },
      [] { throw std::runtime_error("bad shape"); },
      [] {
        throw std::runtime_error(
            "could not create a primitive descriptor for the matmul primitive");
      },
      [] { TORCH_CHECK(false, "expected a tensor"); },
  };
  for (const auto& way : ways) EXPECT_FALSE(runs_out_of_memory(way));
}

TEST(TorchError, OursStaysAsItIs) {
  const Error error =
      explained([] { throw Error(ErrorKind::kInput, "a.jsonl:3", "CUDA error: x", "do y"); });
  EXPECT_EQ(error.kind(), ErrorKind::kInput);
  EXPECT_EQ(error.where(), "a.jsonl:3");
  EXPECT_STREQ(error.what(), "CUDA error: x");
  EXPECT_EQ(error.hint(), "do y");
}

struct GpuCase {
  const char* message;  ///< cudaGetErrorString, or libtorch's own
  const char* hint;     ///< what the hint must name
  ErrorKind kind = ErrorKind::kResource;
};

TEST(TorchError, AFailureOfTheGpuSaysWhatHelps) {
  const GpuCase cases[] = {
      {"CUDA error: no kernel image is available for execution on the device", "build of torch"},
      {"CUDA error: device kernel image is invalid", "build of torch"},
      {"CUDA error: the provided PTX was compiled with an unsupported toolchain.", "newer driver"},
      {"CUDA error: CUDA driver version is insufficient for CUDA runtime version", "newer driver"},
      {"The NVIDIA driver on your system is too old (found version 12020).", "newer driver"},
      {"CUDA error: system has unsupported display driver / cuda driver combination", "restarted"},
      {"CUDA error: forward compatibility was attempted on non supported HW", "restarted"},
      {"CUDA error: CUDA-capable device(s) is/are busy or unavailable", "compute mode"},
      {"CUDA error: system not yet initialized", "fabricmanager"},
      {"CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", "full"},
      {"CUDA error: uncorrectable ECC error encountered", "dmesg"},
      {"CUDA error: unspecified launch failure", "nvidia-smi"},
      {"CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `x`", "dmesg"},
      {"CUDA driver error: unknown error", "dmesg"},
      {"CUDA error: device-side assert triggered", "CUDA_LAUNCH_BLOCKING", ErrorKind::kBug},
      {"CUDA error: an illegal memory access was encountered", "report", ErrorKind::kBug},
      {"CUDA error: invalid configuration argument", "report", ErrorKind::kBug},
      {"CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling `x`", "report", ErrorKind::kBug},
      {"CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `x`", "report", ErrorKind::kBug},
      {"cutlassF: no kernel found to launch!", "report", ErrorKind::kBug},
  };
  for (const GpuCase& c : cases) {
    SCOPED_TRACE(c.message);
    const Error error = explained([&] {
      TORCH_CHECK(false, c.message, "\nCUDA kernel errors might be reported at some other call");
    });
    EXPECT_EQ(error.kind(), c.kind);
    EXPECT_EQ(error.where(), "GPU");
    EXPECT_STREQ(error.what(), c.message);
    EXPECT_THAT(error.hint(), HasSubstr(c.hint));
  }
}

TEST(TorchError, WhatIsNotKnownIsABug) {
  const Error error = explained([] { TORCH_CHECK(false, "expected a tensor\nand more"); });
  EXPECT_EQ(error.kind(), ErrorKind::kBug);
  EXPECT_STREQ(error.what(), "unexpected: expected a tensor");
  EXPECT_THAT(error.hint(), HasSubstr("report"));
}

}  // namespace
}  // namespace air
