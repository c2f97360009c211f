#include "model/kernels/cuda_rows.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>
#include <c10/util/Exception.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "model/kernels/cuda_calls.h"
#include "model/kernels/cuda_module.h"
#include "model/kernels/cuda_rows_check.h"
#include "model/torch_error.h"

namespace air {

namespace {

/// nullptr: the device has none.
using Module = std::shared_ptr<const CudaModule>;

bool wanted() {
  const char* value = std::getenv("AIR_CUDA_KERNELS");
  const std::string_view text = value ? value : "1";
  if (text != "0" && text != "1")
    throw Error(ErrorKind::kUsage, "AIR_CUDA_KERNELS", "unknown value " + std::string(text),
                "1, the default, or 0: without the own kernels for GPUs");
  return text == "1";
}

void warn_without(c10::Device device, const std::string& reason) {
  spdlog::warn(
      "{}: libtorch's kernels take the place of air's own, which are faster ({}); "
      "AIR_CUDA_KERNELS=0 leaves them out",
      device.str(), reason);
}

template <typename Call>
bool start(const CudaModule& module, const std::optional<Call>& call) {
  if (call) module.start(*call);
  return call.has_value();
}

bool start_logit_stats(const CudaModule& module, const at::Tensor& logits,
                       const LogitOptions& options, const at::Tensor& targets, at::Tensor& nll,
                       at::Tensor& entropy, at::Tensor& top1) {
  const at::Tensor bias =
      options.bias.defined() ? options.bias.to(at::kFloat).contiguous() : at::Tensor();
  const auto made = [&](const at::Tensor& given, at::ScalarType dtype) {
    if (given.defined()) return given;
    return at::empty({targets.numel()}, logits.options().dtype(dtype));
  };
  const at::Tensor losses = made(nll, at::kFloat), entropies = made(entropy, at::kFloat),
                   ids = made(top1, at::kInt);
  if (!start(module,
             logit_stats_call(logits, bias, options.softcap, targets, losses, entropies, ids)))
    return false;
  nll = losses;
  entropy = entropies;
  top1 = ids;
  return true;
}

/// What a device's kernels do wrong there, in words.
std::string disagreement_of(const CudaModule& module, c10::Device device) {
  const SiluGateOperation silu_gate = [&](at::Tensor& gate, const at::Tensor& up) {
    return start(module, silu_gate_call(gate, up));
  };
  const RopeOperation rope = [&](at::Tensor& x, const RopeTable& table) {
    return start(module, rope_call(x, table));
  };
  const LogitStatsOperation logit_stats = [&](const at::Tensor& logits, const LogitOptions& options,
                                              const at::Tensor& targets, at::Tensor& nll,
                                              at::Tensor& entropy, at::Tensor& top1) {
    return start_logit_stats(module, logits, options, targets, nll, entropy, top1);
  };
  std::string found = disagreement(silu_gate, device);
  if (found.empty()) found = disagreement(rope, device);
  if (found.empty()) found = disagreement(logit_stats, device);
  return found;
}

/// Compiles a device's kernels and checks them there.
Module make_module(c10::Device device) {
  try {
    const auto start = std::chrono::steady_clock::now();
    const c10::DeviceGuard guard(device);
    at::zeros({1}, at::TensorOptions().device(device));  // makes the device's context
    auto module = std::make_shared<const CudaModule>(kCudaRows, kCudaRowsKernels);
    const std::string problem = disagreement_of(*module, device);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    spdlog::debug("{}: kernels compiled and checked in {:.2f} s", device.str(), seconds.count());
    if (problem.empty()) return module;
    warn_without(device, "they disagree with ATen: " + problem);
  } catch (const std::exception& e) {
    // A shortage that may pass must not decide which kernels a run computes with.
    if (is_out_of_memory(e)) throw;
    const auto* of_torch = dynamic_cast<const c10::Error*>(&e);
    warn_without(device, of_torch != nullptr ? of_torch->what_without_backtrace() : e.what());
  }
  return nullptr;
}

/// The kernels of each device that was asked about.
class Modules {
 public:
  Module of(c10::Device device) {
    const std::lock_guard lock(mutex_);
    const auto found = modules_.find(device.index());
    if (found != modules_.end()) return found->second;
    return modules_[device.index()] = wanted() ? make_module(device) : nullptr;
  }

  void give_up(c10::Device device, const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(modules_[device.index()], nullptr)) warn_without(device, reason);
  }

 private:
  std::mutex mutex_;
  std::map<c10::DeviceIndex, Module> modules_;
};

Modules& modules() {
  static Modules all;
  return all;
}

/// Runs `work` with the kernels of x's device, false where it has none. A launch that the driver
/// refuses has done nothing: ATen's kernels take over, or meet the device's error and name it.
template <typename Work>
bool with_kernels(const at::Tensor& x, Work work) {
  if (!x.is_cuda()) return false;
  const Module module = modules().of(x.device());
  if (!module) return false;
  try {
    const c10::DeviceGuard guard(x.device());
    return work(*module);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kResource) throw;
    modules().give_up(x.device(), e.what());
    return false;
  }
}

}  // namespace

bool has_cuda_rows(c10::Device device) {
  return device.is_cuda() && modules().of(device) != nullptr;
}

bool cuda_silu_gate(at::Tensor& gate, const at::Tensor& up) {
  return with_kernels(
      gate, [&](const CudaModule& module) { return start(module, silu_gate_call(gate, up)); });
}

bool cuda_rope(at::Tensor& x, const RopeTable& table) {
  return with_kernels(x,
                      [&](const CudaModule& module) { return start(module, rope_call(x, table)); });
}

bool cuda_logit_stats(const at::Tensor& logits, const LogitOptions& options,
                      const at::Tensor& targets, at::Tensor& nll, at::Tensor& entropy,
                      at::Tensor& top1) {
  return with_kernels(logits, [&](const CudaModule& module) {
    return start_logit_stats(module, logits, options, targets, nll, entropy, top1);
  });
}

}  // namespace air
