#include "model/head_mask.h"

#include <algorithm>

#include <ATen/ops/ones.h>

#include "base/error.h"

namespace air {

HeadMask::HeadMask(std::span<const HeadSet> variants, MaskMode mode, const HeadGrid& grid,
                   at::Device device, at::ScalarType dtype)
    : num_variants_(variants.size()),
      mode_(mode),
      fork_layer_(grid.num_layers()),
      layers_(grid.num_layers()) {
  AIR_CHECK(!variants.empty());
  for (int64_t variant = 0; variant < num_variants_; ++variant) {
    check_heads(variants[variant], grid, "heads");
    for (const Head head : variants[variant]) {
      at::Tensor& layer = layers_[head.layer];
      if (!layer.defined())
        layer = at::ones({num_variants_, 1, grid.num_heads(head.layer), 1},
                         at::TensorOptions().dtype(dtype));
      layer.select(0, variant).select(1, head.head).zero_();
      fork_layer_ = std::min(fork_layer_, head.layer);
    }
  }
  for (at::Tensor& layer : layers_)
    if (layer.defined()) layer = layer.to(device);
}

}  // namespace air
