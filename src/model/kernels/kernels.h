// The operations that have more than one implementation, and which one a tensor gets. Everything
// else in model/ is written once, for every device and dtype.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/activation.h"
#include "model/attention.h"
#include "model/batch.h"
#include "model/rope.h"
#include "model/token_nll.h"

namespace air {

/// One implementation of each operation: a backend. The contracts are those of the functions that
/// call it: rms_norm (norm.h), apply_rope (rope.h), activate and apply_gate (activation.h),
/// linear_product (linear.h), packed_attention and attention_rows (attention.h), tiled_token_nll
/// (token_nll.h).
struct Kernels {
  at::Tensor (*rms_norm)(const at::Tensor& x, const at::Tensor& weight, double eps);
  void (*rope)(at::Tensor& x, const RopeTable& table);
  void (*activation)(at::Tensor& x, Activation activation);
  void (*gate)(at::Tensor& gate, at::Tensor& up, const GateSpec& spec);
  at::Tensor (*linear)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
  /// sums += x · weightᵀ in one pass; null where the backend has no such product.
  void (*add_product)(at::Tensor& sums, const at::Tensor& x, const at::Tensor& weight);
  at::Tensor (*attention)(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const PackedSequences& sequences, const AttentionSpec& spec);
  at::Tensor (*attention_rows)(const at::Tensor& q, const at::Tensor& k,
                               const std::vector<int64_t>& rows, const AttentionSpec& spec);
  TokenNll (*token_nll)(const at::Tensor& hidden, const at::Tensor& lm_head,
                        const at::Tensor& targets, const LogitOptions& options);
};

/// The backend for what `x` is. The only place that asks.
const Kernels& kernels_of(const at::Tensor& x);

/// ATen's operators: any device, any dtype (aten.cpp). A backend starts from these and replaces
/// what it does better.
const Kernels& aten_kernels();

/// float32 on the CPU (cpu_float.cpp).
const Kernels& cpu_float_kernels();

/// bfloat16 and float16 on the CPU (cpu_half.cpp).
const Kernels& cpu_half_kernels();

/// NVIDIA GPUs (cuda.cpp).
const Kernels& cuda_kernels();

/// Compiles now what the device's backend compiles at run time; else its first call does.
void prepare_kernels(at::Device device);

}  // namespace air
