// Random head sets: what a critical set is compared with.
#pragma once

#include <cstdint>

#include "base/rng.h"
#include "heads/head_grid.h"

namespace air {

/// As many heads as `heads` has, from all layers, none of them in `heads` while others last.
HeadSet random_heads(const HeadSet& heads, const HeadGrid& grid, Rng& rng);

/// For each layer, as many heads as `heads` has there, none of them in `heads` while others last.
HeadSet random_heads_of_same_layers(const HeadSet& heads, const HeadGrid& grid, Rng& rng);

}  // namespace air
