#include "model/head_mask.h"

#include <algorithm>

#include "base/error.h"

namespace air {

HeadMask::HeadMask(std::span<const HeadSet> variants, MaskMode mode, const HeadGrid& grid)
    : num_variants_(variants.size()),
      mode_(mode),
      fork_layer_(grid.num_layers()),
      layers_(grid.num_layers()) {
  AIR_CHECK(!variants.empty());
  for (int64_t variant = 0; variant < num_variants_; ++variant) {
    in_context("heads", [&] { check_heads(variants[variant], grid); });
    for (const Head head : variants[variant]) {
      layers_[head.layer].push_back({variant, head.head});
      fork_layer_ = std::min(fork_layer_, head.layer);
    }
  }
}

void HeadMask::zero_heads(at::Tensor& x, int64_t index) const {
  const int64_t rows = x.size(0) / num_variants_;
  for (const MaskedHead masked : layers_.at(index))
    x.narrow(0, masked.variant * rows, rows).select(1, masked.head).zero_();
}

}  // namespace air
