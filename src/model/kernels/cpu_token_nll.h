// Token losses in float32 on the CPU, by tiles of logits that stay in a core's cache.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/token_nll.h"

namespace air {

/// As tiled_token_nll.
TokenNll cpu_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                       const at::Tensor& targets, const LogitOptions& options);

}  // namespace air
