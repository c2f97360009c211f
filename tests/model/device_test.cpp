#include "model/device.h"

#include <ATen/Context.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "model/cuda_driver.h"

namespace air {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Device, ProductsAreExactWhateverWasSetBefore) {
  at::Context& context = at::globalContext();
  context.setSDPUseCuDNN(true);
  context.setFloat32MatmulPrecision("medium");
  context.setAllowFP16ReductionCuBLAS(true);
  context.setAllowBF16ReductionCuBLAS(true);
  use_exact_products();
  EXPECT_FALSE(context.userEnabledCuDNNSDP());
  EXPECT_TRUE(context.userEnabledFlashSDP());
  EXPECT_EQ(context.float32MatmulPrecision(), at::Float32MatmulPrecision::HIGHEST);
  EXPECT_FALSE(context.allowTF32CuBLAS());
  const auto exact = at::CuBLASReductionOption::DisallowReducedPrecisionAllowSplitK;
  EXPECT_EQ(context.allowFP16ReductionCuBLAS(), exact);
  EXPECT_EQ(context.allowBF16ReductionCuBLAS(), exact);
}

TEST(Device, TheCpuNeedsNoPreparation) {
  at::globalContext().setSDPUseCuDNN(true);
  prepare_device(c10::Device(c10::kCPU));
  EXPECT_TRUE(at::globalContext().userEnabledCuDNNSDP());
  EXPECT_EQ(peak_device_memory_bytes(c10::Device(c10::kCPU)), 0);
  return_freed_memory();  // asks no GPU's allocator where there is none
}

TEST(Device, FloatSixteenWhereThereIsNoBFloat16) {
  for (const int capability : {60, 70, 75}) EXPECT_EQ(auto_gpu_dtype(capability), c10::kHalf);
  for (const int capability : {0, 80, 86, 90, 100, 120})
    EXPECT_EQ(auto_gpu_dtype(capability), c10::kBFloat16);
  EXPECT_EQ(parse_dtype("auto", c10::Device(c10::kCPU)), c10::kFloat);
}

TEST(Device, BFloat16IsRefusedWhereThereIsNone) {
  for (const int capability : {0, 80, 90}) require_gpu_dtype(c10::kBFloat16, capability);
  require_gpu_dtype(c10::kHalf, 75);
  try {
    require_gpu_dtype(c10::kBFloat16, 75);
    FAIL() << "bfloat16 is accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_THAT(e.what(), testing::HasSubstr("7.5"));
  }
}

TEST(Device, AMissingGpuIsExplained) {
  constexpr int kTorch = 13000;
  EXPECT_THAT(describe_missing_gpu(12020, kTorch, "", nullptr),
              AllOf(HasSubstr("serves CUDA 12.2"), HasSubstr("built for CUDA 13.0")));
  // A driver of the same major version serves it.
  EXPECT_EQ(describe_missing_gpu(13000, 13010, "", nullptr), "torch sees none");
  EXPECT_EQ(describe_missing_gpu(13000, kTorch, "no CUDA-capable device is detected", ""),
            "the driver says: no CUDA-capable device is detected; CUDA_VISIBLE_DEVICES is \"\"");
  EXPECT_THAT(describe_missing_gpu(0, kTorch, "", "7"), HasSubstr("CUDA_VISIBLE_DEVICES is \"7\""));
  EXPECT_THAT(describe_missing_gpu(0, 0, "unknown error", nullptr),
              Not(HasSubstr("CUDA_VISIBLE_DEVICES")));
}

}  // namespace
}  // namespace air
