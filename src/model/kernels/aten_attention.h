// Attention over packed sequences by ATen's fused kernels, on any device.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/attention.h"

namespace air {

/// As packed_attention, sequence by sequence. What fused kernels do not do, soft caps and sinks, is
/// computed from explicit scores, a block of rows at a time.
at::Tensor aten_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const PackedSequences& sequences, const AttentionSpec& spec);

/// As attention_rows.
at::Tensor aten_attention_rows(const at::Tensor& q, const at::Tensor& k,
                               const std::vector<int64_t>& rows, const AttentionSpec& spec);

}  // namespace air
