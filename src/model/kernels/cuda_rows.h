// Own kernels for NVIDIA GPUs, compiled when the first of them is wanted (cuda_rows.cu). A function
// returns false, having done nothing, where they do not suit: the caller then takes ATen's.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/rope.h"
#include "model/token_nll.h"

namespace air {

/// Whether the kernels compiled for this device and agreed with ATen on small random inputs there:
/// asked once a process and device, with a warning that names the reason where they did not. Always
/// false for other devices than GPUs, and where AIR_CUDA_KERNELS=0 is in the environment.
/// @throws Error(kUsage) where AIR_CUDA_KERNELS is neither 0 nor 1.
bool has_cuda_rows(c10::Device device);

/// gate becomes silu(gate) · up in place, rounded once.
/// @param gate, up  [rows, inner] bfloat16 or float16, inner a multiple of 8; rows may be strided
/// (views of one [rows, 2 · inner]) and are aligned to 16 bytes
bool cuda_silu_gate(at::Tensor& gate, const at::Tensor& up);

/// Rotates x in place as apply_rope does, rounded once. Halves only, not interleaved pairs.
/// @param x  [N, heads, D] bfloat16 or float16; rows may be strided (a view of [N, (H + 2K) · D])
/// and are aligned to 16 bytes   @param table in x's dtype, rotary_dim / 2 a multiple of 8
bool cuda_rope(at::Tensor& x, const RopeTable& table);

/// −log p(target), entropy (0 · log 0 is 0) and the likeliest token (ties: the lowest id) of each
/// row of logits, which is read once and stays as it is. Bias and soft cap are applied on the way.
/// A row with undefined logits or an id outside the vocabulary has an undefined loss (NaN).
/// @param logits  [R, V] float32; rows may be strided   @param targets  [R] int64 on the device
/// @param nll, entropy, top1  [R] float32, float32 and int32, contiguous on the device; made where
/// undefined
bool cuda_logit_stats(const at::Tensor& logits, const LogitOptions& options,
                      const at::Tensor& targets, at::Tensor& nll, at::Tensor& entropy,
                      at::Tensor& top1);

}  // namespace air
