// Attention on NVIDIA GPUs.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/attention.h"
#include "model/model_config.h"

namespace air {

/// What attends. Memory is linear in N with each.
enum class CudaAttention {
  /// FlashAttention (Dao 2023, arXiv:2307.08691): half precision from Ampere on, heads of at most
  /// 256 numbers. All sequences in one call.
  kFlash,
  /// The memory-efficient kernel (Rabe and Staats 2021, arXiv:2112.05682): what FlashAttention does
  /// not take. All sequences in one call.
  kEfficient,
  /// aten_attention, with explicit scores in blocks: soft caps, which the kernels do not know.
  kScores,
};

/// @param capability as cuda_compute_capability
CudaAttention choose_cuda_attention(const AttentionSizes& sizes, double softcap,
                                    at::ScalarType dtype, int capability);

/// Numbers of a token, in `dtype`, that are made beside q, k, v and what comes out: heads widened
/// to what the kernel takes, keys and values repeated for each query head, sums in float32.
int64_t cuda_attention_copies(CudaAttention attention, const AttentionSizes& sizes,
                              at::ScalarType dtype);

/// As packed_attention.
at::Tensor cuda_attention_by(CudaAttention attention, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const PackedSequences& sequences,
                             const AttentionSpec& spec);

/// As packed_attention, by what suits the GPU that q is on.
at::Tensor cuda_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const PackedSequences& sequences, const AttentionSpec& spec);

}  // namespace air
