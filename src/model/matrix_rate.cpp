#include "model/matrix_rate.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "model/linear.h"

namespace air {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

double matrix_product_rate(const ModelConfig& config, c10::Device device, c10::ScalarType dtype) {
  c10::InferenceMode guard;
  // A GPU needs more rows to be at its best, and other products wait while the host asks for the
  // next one. Its clock falls with the bits that change: uniform positive numbers flatter.
  const bool is_cpu = device.is_cpu();
  const int64_t num_rows = is_cpu ? 2048 : 16384;
  const int products_at_once = is_cpu ? 1 : 10;
  constexpr double kSeconds = 1.0;
  constexpr size_t kMinRepeats = 5;
  const int64_t inner = std::max(config.intermediate_size, config.experts.intermediate_size);
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  const auto draw = [&](int64_t rows) {
    const std::vector<int64_t> shape = {rows, config.hidden_size};
    return is_cpu ? at::rand(shape, options) : at::randn(shape, options);
  };
  const at::Tensor x = draw(num_rows), weight = draw(inner);
  const auto multiply = [&] {
    for (int i = 0; i < products_at_once; ++i) linear_product(x, weight);
    if (!is_cpu) at::accelerator::synchronizeDevice(device.index());
  };
  multiply();  // the first one also makes what the others find ready
  std::vector<double> seconds;
  for (const auto begin = Clock::now();
       seconds.size() < kMinRepeats || seconds_since(begin) < kSeconds;) {
    const auto start = Clock::now();
    multiply();
    seconds.push_back(seconds_since(start));
  }
  std::nth_element(seconds.begin(),
                   seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2),
                   seconds.end());
  return 2.0 * products_at_once * static_cast<double>(num_rows * config.hidden_size * inner) /
         seconds[seconds.size() / 2];
}

}  // namespace air
