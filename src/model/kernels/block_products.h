// The two products of attention by blocks of queries: with the keys, and with the values.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "model/attention.h"

namespace air {

/// Queries [begin, end) of one sequence, for all query heads that share a key/value head.
struct QueryBlock {
  int64_t sequence, kv_head;
  int64_t begin, end;  ///< rows of the sequence
};

/// What all blocks read.
struct BlockInputs {
  at::Tensor q, k, v;  ///< contiguous, [N, H, D], [N, K, D], [N, K, E]
  const PackedSequences& sequences;
  const AttentionSpec& spec;
  int64_t num_heads, group;      ///< H, H / K
  int64_t head_dim, v_head_dim;  ///< D, E
};

/// Where the rows of a block lie, and the sizes of its products.
struct BlockShape {
  int64_t rows, padded_rows;  ///< queries of each head; row i · group + h is query i of head h
  int64_t first_row;          ///< of the batch
  int64_t first_head;         ///< of the query heads
  int64_t first_position;     ///< of its first query in the sequence
  int64_t first_key, keys;    ///< positions [first_key, first_key + keys)
};

/// Rows of float32, each `stride` after the other. They stay until the next product.
struct FloatMatrix {
  float* data;
  int64_t stride;
};

/// The products of one thread's blocks.
class BlockProducts {
 public:
  virtual ~BlockProducts() = default;
  virtual BlockShape shape_of(const QueryBlock& block) const = 0;
  /// Scores of the block, group · padded_rows rows of `keys` numbers. Keys that a query does not
  /// see may have none.
  virtual FloatMatrix scores(const QueryBlock& block, const BlockShape& shape) = 0;
  /// What the scores must still be multiplied by.
  virtual float score_factor() const = 0;
  /// Shares times values, group · padded_rows rows of E numbers.
  /// @param shares where scores() put the scores; 0 for keys that a query does not see
  virtual FloatMatrix attended(const QueryBlock& block, const BlockShape& shape,
                               FloatMatrix shares) = 0;
};

/// Lays out the keys and values of a batch, and makes what each thread needs. Where there are micro
/// kernels (has_micro_kernel; halves need even sizes of heads), keys and values lie in panels,
/// scores are float32, and shares are rounded to the dtype before they meet the values. Elsewhere,
/// in float32, the products are oneDNN's operator of whole blocks.
class BlockProductsMaker {
 public:
  /// @param inputs outlives this
  explicit BlockProductsMaker(const BlockInputs& inputs);
  ~BlockProductsMaker();
  std::unique_ptr<BlockProducts> make() const;

 private:
  struct Layout;
  const BlockInputs& inputs_;
  std::unique_ptr<Layout> layout_;
};

}  // namespace air
