#include "model/torch_info.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>

#include "base/error.h"
#include "model/device.h"
#include "model/threads.h"

namespace air {

namespace {

/// libtorch has no function for its version; the settings that it was built with name it.
std::string running_torch() {
  constexpr std::string_view kKey = "TORCH_VERSION=";
  const std::string settings = at::show_config();
  const size_t key = settings.find(kKey);
  if (key == std::string::npos) return "of unknown version";
  const size_t begin = key + kKey.size();
  return settings.substr(begin, settings.find_first_of(", \n", begin) - begin);
}

}  // namespace

std::string torch_line() {
  return fmt::format("built against torch {}, runs on torch {} ({} build)", TORCH_VERSION,
                     running_torch(), has_cuda_kernels() ? "CUDA" : "CPU");
}

std::string runtime_lines() {
  set_threads(0);
  std::string devices;
  try {
    devices = fmt::format("{}", fmt::join(visible_devices(), ", "));
  } catch (const Error& e) {
    devices = fmt::format("cpu ({}: {})", e.where(), e.what());
  }
  return fmt::format("devices: {}\nthreads: {}", devices, at::get_num_threads());
}

}  // namespace air
