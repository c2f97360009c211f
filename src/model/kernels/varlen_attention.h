// Attention over all packed sequences in one call of a kernel that takes them by their bounds
// ("varlen"), as those of accelerators do.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "model/attention.h"

namespace air {

/// Packed sequences as such a kernel wants them, on its device. B sequences, N rows, S keys.
struct KeyLayout {
  at::Tensor cu_queries;  ///< [B + 1] int32: where the queries of each sequence begin, from 0 to N
  at::Tensor cu_keys;     ///< [B + 1] int32: where its keys begin, from 0 to S
  at::Tensor key_rows;    ///< [S] int64: the row of each key, those of a prefix first; undefined:
                          ///< no sequence has a prefix, keys are rows
  int64_t max_queries = 0;  ///< of one sequence
  int64_t max_keys = 0;
};

std::shared_ptr<const KeyLayout> make_key_layout(const PackedSequences& sequences,
                                                 at::Device device);

/// What the kernel is asked for. Queries are aligned with the last of their sequence's keys.
struct VarlenCall {
  const KeyLayout& layout;
  double scale;
  std::optional<int64_t> window;  ///< as AttentionSpec::window
  bool with_lse;                  ///< whether VarlenResult::lse is wanted
};

struct VarlenResult {
  at::Tensor out;  ///< [N, H, E]
  at::Tensor lse;  ///< [H, N] float32: log Σ e^score over the visible keys
};

/// @param q [N, H, D]   @param k [S, K, D]   @param v [S, K, E]
using VarlenKernel = VarlenResult (*)(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      const VarlenCall& call);

/// As packed_attention without soft caps. Sinks are exact: a sink takes e^sink of each row's sum,
/// so that what the row puts out shrinks by 1 / (1 + e^(sink − lse)).
at::Tensor varlen_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const PackedSequences& sequences, const AttentionSpec& spec,
                            VarlenKernel kernel);

}  // namespace air
