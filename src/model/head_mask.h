// Which heads are weakened in which variant of a forward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "heads/head_grid.h"
#include "heads/head_set.h"

namespace air {

/// What a masked head does (docs/method.md section 2).
enum class MaskMode {
  kUniform,  ///< attends uniformly over its visible positions: its queries are zero
  kZero,     ///< puts out nothing: its output is zero
};

/// Variants of the model that one pass computes side by side; variant 0 is usually the base model
/// (the empty set). Layers below fork_layer() are the same in all variants and run once.
class HeadMask {
 public:
  /// @param variants head sets, M of them.
  /// @throws Error(kModel) for a head that the model does not have.
  HeadMask(std::span<const HeadSet> variants, MaskMode mode, const HeadGrid& grid);

  int64_t num_variants() const { return num_variants_; }
  MaskMode mode() const { return mode_; }
  /// The first layer where a variant has a masked head; L when none has.
  int64_t fork_layer() const { return fork_layer_; }
  bool masks_layer(int64_t index) const { return !layers_.at(index).empty(); }
  /// Sets the masked heads of layer `index` to zero in the rows of their variants.
  /// @param x [M · N, H, D], one variant after another
  void zero_heads(at::Tensor& x, int64_t index) const;

 private:
  int64_t num_variants_;
  MaskMode mode_;
  int64_t fork_layer_;
  struct MaskedHead {
    int64_t variant, head;
  };
  std::vector<std::vector<MaskedHead>> layers_;
};

}  // namespace air
