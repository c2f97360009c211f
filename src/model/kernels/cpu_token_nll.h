// Token losses on the CPU, by tiles of float32 logits that stay in a core's cache.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/token_nll.h"

namespace air {

/// As tiled_token_nll.
/// @param hidden float32, or a dtype that has_micro_kernel and an even number of columns: then
/// lm_head's   @param lm_head any dtype beside float32 hidden: it is widened tile by tile
TokenNll cpu_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                       const at::Tensor& targets, const LogitOptions& options);

}  // namespace air
