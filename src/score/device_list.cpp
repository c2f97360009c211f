#include "score/device_list.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/worker_process.h"
#include "model/device.h"

namespace air {

namespace {

/// All GPUs. They are counted by a process of its own: one that has asked CUDA can't be copied.
std::vector<std::string> all_gpus() {
  WorkerProcess counter("--device all", [](const SendLine& send) {
    try {
      for (const std::string& device : visible_devices())
        if (device != "cpu") send(device);
    } catch (const Error&) {
      // The libraries do not load: the process that is to score says so.
    }
    return 0;
  });
  std::vector<std::string> gpus;
  while (counter.fd() >= 0)
    for (const std::string& line : counter.read_lines()) gpus.push_back(line);
  return gpus.empty() ? std::vector<std::string>{"cuda"} : gpus;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::vector<std::string> device_list(const std::string& text) {
  if (text == "all" || text == "cuda:all") return all_gpus();
  std::vector<std::string> devices;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const bool follows_gpu = !devices.empty() && devices.back().starts_with("cuda:");
    devices.push_back(follows_gpu && is_number(part) ? "cuda:" + part : part);
    begin = end + 1;
  }
  if (devices.size() == 1) return devices;
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kUsage, "--device " + text, what,
                "several devices are cuda:0,1,2, all (GPUs), or cpu,cpu");
  };
  for (size_t i = 0; i < devices.size(); ++i) {
    const bool is_cpu = devices[i] == "cpu";
    if (!is_cpu && !(devices[i].starts_with("cuda:") && is_number(devices[i].substr(5))))
      refuse("\"" + devices[i] + "\" can't be one of several");
    if (is_cpu != (devices[0] == "cpu"))
      refuse("the CPU beside GPUs: their scores differ in rounding");
    if (!is_cpu && std::find(devices.begin(), devices.begin() + static_cast<int64_t>(i),
                             devices[i]) != devices.begin() + static_cast<int64_t>(i))
      refuse(devices[i] + " is listed twice");
  }
  return devices;
}

}  // namespace air
