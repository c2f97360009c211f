#include "model/token_nll.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tanh.h>

#include "base/error.h"
#include "model/kernels/kernels.h"

namespace air {

void finish_logits(at::Tensor& logits, const at::Tensor& bias, double softcap) {
  if (bias.defined()) logits.add_(bias);
  if (softcap > 0) logits.div_(softcap).tanh_().mul_(softcap);
}

TokenNll tiled_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                         const at::Tensor& targets, const LogitOptions& options) {
  AIR_CHECK(targets.is_cpu() && targets.scalar_type() == at::kLong &&
            targets.size(0) == hidden.size(0));
  return kernels_of(hidden).token_nll(hidden, lm_head, targets, options);
}

}  // namespace air
