// Attention on NVIDIA GPUs.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/attention.h"

namespace air {

/// As packed_attention. Half precision by FlashAttention (Dao 2023, arXiv:2307.08691), float32, and
/// all on GPUs older than Ampere, by the memory-efficient kernel; all sequences in one call, memory
/// is linear in N. Soft caps and heads wider than 256 are aten_attention's.
at::Tensor cuda_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const PackedSequences& sequences, const AttentionSpec& spec);

}  // namespace air
