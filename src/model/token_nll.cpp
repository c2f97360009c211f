#include "model/token_nll.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tanh.h>

#include <algorithm>

#include "base/error.h"
#include "model/kernels/kernels.h"

namespace air {

TokenNll TokenNll::rows(int64_t begin, int64_t count) const {
  TokenNll part(count);
  std::copy_n(nll.begin() + begin, count, part.nll.begin());
  std::copy_n(entropy.begin() + begin, count, part.entropy.begin());
  std::copy_n(top1.begin() + begin, count, part.top1.begin());
  return part;
}

void finish_logits(at::Tensor& logits, const at::Tensor& bias, double softcap) {
  if (bias.defined()) logits.add_(bias);
  if (softcap > 0) logits.div_(softcap).tanh_().mul_(softcap);
}

TokenNll fetch_token_nll(const at::Tensor& nll, const at::Tensor& entropy, const at::Tensor& top1) {
  TokenNll out(nll.size(0));
  const at::Tensor host_nll = nll.to(at::kDouble).cpu(), host_top1 = top1.cpu(),
                   host_entropy = entropy.to(at::kDouble).cpu();
  std::copy_n(host_nll.const_data_ptr<double>(), nll.size(0), out.nll.begin());
  std::copy_n(host_entropy.const_data_ptr<double>(), nll.size(0), out.entropy.begin());
  std::copy_n(host_top1.const_data_ptr<int32_t>(), nll.size(0), out.top1.begin());
  return out;
}

TokenNll tiled_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                         const at::Tensor& targets, const LogitOptions& options) {
  AIR_CHECK(targets.is_cpu() && targets.scalar_type() == at::kLong &&
            targets.size(0) == hidden.size(0));
  return kernels_of(hidden).token_nll(hidden, lm_head, targets, options);
}

}  // namespace air
