// The operations by ATen's operators.
#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>

#include <algorithm>

#include "base/error.h"
#include "model/device.h"
#include "model/kernels/aten_attention.h"
#include "model/kernels/kernels.h"

namespace air {

namespace {

// Rows × vocabulary of one piece where ATen makes whole rows of logits.
constexpr int64_t kWholeRowLogits = int64_t{1} << 26;

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  at::Tensor wide = x.to(at::kFloat);
  const at::Tensor inverse =
      wide.square().mean(at::IntArrayRef{-1}, /*keepdim=*/true).add_(eps).rsqrt_();
  return (wide * inverse).to(weight.scalar_type()).mul_(weight).to(x.scalar_type());
}

/// Pairs (first, second), [N, heads, rotary_dim / 2] each, in place.
void rotate(at::Tensor first, at::Tensor second, const RopeTable& table) {
  const at::Tensor rotated = second * table.cos;
  rotated.addcmul_(first, table.sin);
  first.mul_(table.cos).addcmul_(second, table.sin, -1);
  second.copy_(rotated);
}

void rope(at::Tensor& x, const RopeTable& table) {
  const int64_t half = table.cos.size(-1);
  if (table.interleaved)
    rotate(x.slice(-1, 0, 2 * half, 2), x.slice(-1, 1, 2 * half, 2), table);
  else
    rotate(x.narrow(-1, 0, half), x.narrow(-1, half, half), table);
}

void activation(at::Tensor& x, Activation kind) {
  switch (kind) {
    case Activation::kSilu:
      at::silu_(x);
      return;
    case Activation::kGelu:
      at::gelu_(x, "none");
      return;
    case Activation::kGeluTanh:
      at::gelu_(x, "tanh");
      return;
    case Activation::kRelu2:
      at::relu_(x).square_();
      return;
    case Activation::kClampedSwiglu:
      break;  // not of one input
  }
  AIR_CHECK(!"this activation needs a gate");
}

void gate(at::Tensor& gate, at::Tensor& up, const GateSpec& spec) {
  if (spec.activation == Activation::kClampedSwiglu) {
    gate.clamp_max_(spec.swiglu_limit);
    gate.mul_(at::sigmoid(gate * spec.swiglu_alpha));
    gate.mul_(up.clamp_(-spec.swiglu_limit, spec.swiglu_limit).add_(1.0));
    return;
  }
  activation(gate, spec.activation);
  gate.mul_(up);
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(x, weight, bias);
}

/// cuBLAS reads the sums and writes them as it multiplies: two passes over memory fewer
/// than a product and an addition.
void add_product(at::Tensor& sums, const at::Tensor& x, const at::Tensor& weight) {
  sums.addmm_(x, weight.t());
}

/// Whole rows of logits, a bounded number at a time: accelerators, and half precision on the CPU.
/// Results are fetched once, at the end, so that an accelerator never waits for the host in
/// between.
TokenNll token_nll(const at::Tensor& hidden, const at::Tensor& lm_head, const at::Tensor& targets,
                   const LogitOptions& options) {
  const int64_t rows = hidden.size(0);
  const int64_t step = std::max<int64_t>(1, kWholeRowLogits / lm_head.size(0));
  const at::Tensor all_targets = upload(targets, hidden.device());
  std::vector<at::Tensor> nll, entropy, top1;
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t height = std::min(step, rows - begin);
    at::Tensor logits = at::linear(hidden.narrow(0, begin, height), lm_head).to(at::kFloat);
    finish_logits(logits, options.bias, options.softcap);
    const at::Tensor log_p = at::log_softmax(logits, -1);
    nll.push_back(
        log_p.gather(1, all_targets.narrow(0, begin, height).unsqueeze(1)).squeeze(1).neg());
    entropy.push_back((log_p.exp() * log_p).sum(-1).neg());
    top1.push_back(at::argmax(logits, -1).to(at::kInt));
  }
  if (rows == 0) return TokenNll(0);
  return fetch_token_nll(at::cat(nll), at::cat(entropy), at::cat(top1));
}

}  // namespace

const Kernels& aten_kernels() {
  static constexpr Kernels kKernels = {.rms_norm = rms_norm,
                                       .rope = rope,
                                       .activation = activation,
                                       .gate = gate,
                                       .linear = linear,
                                       .add_product = add_product,
                                       .attention = aten_attention,
                                       .attention_rows = aten_attention_rows,
                                       .token_nll = token_nll};
  return kKernels;
}

}  // namespace air
