// Sequences packed one behind another, without padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace air {

/// B sequences of together N tokens.
struct Batch {
  at::Tensor ids;                   ///< [N] int64
  at::Tensor positions;             ///< [N] int64, from 0 in each sequence
  std::vector<int64_t> cu_seqlens;  ///< [B + 1], from 0 to N

  int64_t num_tokens() const { return cu_seqlens.back(); }
  int64_t num_sequences() const { return static_cast<int64_t>(cu_seqlens.size()) - 1; }
};

/// @param sequences none empty.
Batch make_batch(std::span<const std::span<const int32_t>> sequences, at::Device device);

}  // namespace air
