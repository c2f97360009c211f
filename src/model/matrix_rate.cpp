#include "model/matrix_rate.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/ops/rand.h>
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
  constexpr int64_t kRows = 2048;
  constexpr double kSeconds = 1.0;
  constexpr size_t kMinRepeats = 5;
  const int64_t inner = std::max(config.intermediate_size, config.experts.intermediate_size);
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  const at::Tensor x = at::rand({kRows, config.hidden_size}, options),
                   weight = at::rand({inner, config.hidden_size}, options);
  const auto product = [&] {
    linear_product(x, weight);
    if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
  };
  product();  // the first one also makes what the others find ready
  std::vector<double> seconds;
  for (const auto begin = Clock::now();
       seconds.size() < kMinRepeats || seconds_since(begin) < kSeconds;) {
    const auto start = Clock::now();
    product();
    seconds.push_back(seconds_since(start));
  }
  std::nth_element(seconds.begin(),
                   seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2),
                   seconds.end());
  return 2.0 * static_cast<double>(kRows * config.hidden_size * inner) /
         seconds[seconds.size() / 2];
}

}  // namespace air
