// Whether kernels do what cuda_rows.h says: held against ATen's operators on the CPU in float64, on
// inputs of even and odd shapes. Run on each device before its kernels are used.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "model/rope.h"
#include "model/token_nll.h"

namespace air {

/// The operations of cuda_rows.h, wherever they run.
using SiluGateOperation = std::function<bool(at::Tensor& gate, const at::Tensor& up)>;
using RopeOperation = std::function<bool(at::Tensor& x, const RopeTable& table)>;
using LogitStatsOperation = std::function<bool(
    const at::Tensor& logits, const LogitOptions& options, const at::Tensor& targets,
    at::Tensor& nll, at::Tensor& entropy, at::Tensor& top1)>;

/// @param device where the operation finds its tensors
/// @return the first disagreement, in words; empty where there is none.
std::string disagreement(const SiluGateOperation& operation, c10::Device device);
std::string disagreement(const RopeOperation& operation, c10::Device device);
std::string disagreement(const LogitStatsOperation& operation, c10::Device device);

}  // namespace air
