// Causal attention over packed sequences, and single rows of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/batch.h"

namespace air {

/// What a layer's attention is, beside its weights.
struct AttentionSpec {
  double scale = 1.0;
  std::optional<int64_t>
      window;            ///< a key at distance < window is visible; none: every earlier one
  double softcap = 0.0;  ///< scores become cap · tanh(score / cap); 0: not
  /// [H]: per head, the logit of a key without a value (gpt_oss); undefined: none.
  at::Tensor sinks;

  /// The first key that the query at `position` sees.
  int64_t first_key(int64_t position) const {
    return window ? std::max<int64_t>(0, position - *window + 1) : 0;
  }
};

/// @param q [N, H, D]   @param k [N, K, D]   @param v [N, K, E]
/// @return [N, H, E]; token i of a sequence sees its prefix and its tokens 0..i, those within the
/// window. Memory is linear in N: where no fused kernel fits, rows are computed in blocks.
at::Tensor packed_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const PackedSequences& sequences, const AttentionSpec& spec);

/// Attention probabilities of a few rows of one sequence. With sinks a row sums to less than 1: the
/// rest is the sink's.
/// @param q of the rows, [A, H, D]   @param k of the sequence, [T, K, D]   @param rows positions,
/// [A]
/// @return [H, A, T] float32; 0 for keys not visible.
at::Tensor attention_rows(const at::Tensor& q, const at::Tensor& k,
                          const std::vector<int64_t>& rows, const AttentionSpec& spec);

/// As attention_rows, for rows and keys anywhere in a sequence.
/// @param q [A, H, D]   @param k [S, K, D]   @param queries, keys their positions, [A], [S]
/// @return [H, A, S] float32
at::Tensor attention_probabilities(const at::Tensor& q, const at::Tensor& k,
                                   const at::Tensor& queries, const at::Tensor& keys,
                                   const AttentionSpec& spec);

/// Which keys a query sees. @param queries, keys positions, [A], [S]   @return bool [A, S]
at::Tensor visible_keys(const at::Tensor& queries, const at::Tensor& keys,
                        std::optional<int64_t> window);

/// Positions begin … end − 1, int64.
at::Tensor position_range(int64_t begin, int64_t end, at::Device device);

}  // namespace air
