#include "model/device.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>

#include <charconv>

#include "base/error.h"

namespace air {

namespace {

int64_t cuda_device_count() {
  return at::hasCUDA() ? static_cast<int64_t>(at::accelerator::deviceCount()) : 0;
}

}  // namespace

c10::Device parse_device(const std::string& text) {
  if (text == "cpu") return c10::Device(c10::kCPU);
  const int64_t count = cuda_device_count();
  if (text == "auto") return count > 0 ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
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
  if (!at::hasCUDA())
    throw Error(ErrorKind::kResource, "--device " + text,
                "no CUDA device: libtorch or its driver sees no GPU",
                "--device cpu runs everywhere; a CUDA build of torch at build time and a driver "
                "bring the GPU");
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
