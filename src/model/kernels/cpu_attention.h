// Attention over packed sequences on the CPU: blocks of queries, two matrix products and a softmax
// in float32 each.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <cstdint>
#include <vector>

#include "model/attention.h"

namespace air {

/// As packed_attention, for every AttentionSpec. About twice as fast as ATen's fused kernel where
/// that one's matrix products are MKL's on a processor that is not Intel's; memory is a block of
/// scores a thread.
/// @param q, k, v float32, or a dtype that has_micro_kernel, with an even D
at::Tensor cpu_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         const PackedSequences& sequences, const AttentionSpec& spec);

/// As attention_rows.
at::Tensor cpu_attention_rows(const at::Tensor& q, const at::Tensor& k,
                              const std::vector<int64_t>& rows, const AttentionSpec& spec);

}  // namespace air
