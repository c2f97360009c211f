// Rotary position embedding (Su et al. 2021, arXiv:2104.09864) and the ways to stretch it to longer
// contexts.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/batch.h"
#include "model/model_config.h"

namespace air {

/// Cosines and sines of all positions of a batch.
struct RopeTable {
  at::Tensor cos;  ///< [N, 1, rotary_dim / 2]; float32 on the CPU, else in the model's dtype
  at::Tensor sin;
  bool interleaved = false;
  at::Tensor query_scale;  ///< [N, 1, 1]: what queries are multiplied by; undefined: nothing
};

/// Angle per position of each rotated pair, [rotary_dim / 2] float32, as transformers computes
/// them.
/// @param length of the sequence: `dynamic` and `longrope` depend on it.
at::Tensor inverse_frequencies(const RopeConfig& config, int64_t length);

/// Whether the angles of a position depend on how long its sequence is (`dynamic`, `longrope`):
/// then one prompt cannot be computed for several sequences.
bool depends_on_length(const RopeConfig& config);

/// Angles in float32 as in transformers, then cast. `dynamic` and `longrope` take the length of
/// each packed sequence by itself, so that packing changes nothing; with them no sequence may have
/// a prefix. @param positions [N] int64
RopeTable make_rope_table(const RopeConfig& config, const at::Tensor& positions,
                          const PackedSequences& sequences, at::ScalarType dtype);

/// The table of rows [begin, begin + length).
RopeTable rows_of(const RopeTable& table, int64_t begin, int64_t length);

/// The table of all rows, `times` times one after another.
RopeTable repeated(const RopeTable& table, int64_t times);

/// Rotates x [N, heads, D] in place.
void apply_rope(at::Tensor& x, const RopeTable& table);

}  // namespace air
