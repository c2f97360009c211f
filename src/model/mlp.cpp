#include "model/mlp.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>

#include "base/error.h"
#include "model/matrix_product.h"
#include "model/row_kernels.h"

namespace air {

namespace {

void activate(at::Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kSilu:
      at::silu_(x);
      return;
    case Activation::kGelu:
      at::gelu_(x, "none");
      return;
    case Activation::kGeluTanh:
      at::gelu_(x, "tanh");
      return;
    case Activation::kClampedSwiglu:
      break;  // not of one input
  }
  AIR_CHECK(!"this activation needs a gate");
}

/// gate becomes act(gate) · up.
void activate_gate(at::Tensor& gate, at::Tensor up, const ModelConfig& config) {
  if (config.hidden_act == Activation::kClampedSwiglu) {
    gate.clamp_max_(config.swiglu_limit);
    gate.mul_(at::sigmoid(gate * config.swiglu_alpha));
    gate.mul_(up.clamp_(-config.swiglu_limit, config.swiglu_limit).add_(1.0));
    return;
  }
  const bool plain = gate.is_cpu() && gate.scalar_type() == at::kFloat && gate.is_contiguous() &&
                     up.is_contiguous();
  if (plain && config.hidden_act == Activation::kSilu) {
    silu_gate(gate.data_ptr<float>(), up.const_data_ptr<float>(), gate.numel());
  } else if (plain && config.hidden_act == Activation::kGeluTanh) {
    gelu_tanh_gate(gate.data_ptr<float>(), up.const_data_ptr<float>(), gate.numel());
  } else {
    activate(gate, config.hidden_act);
    gate.mul_(up);
  }
}

}  // namespace

at::Tensor apply(const Linear& linear, const at::Tensor& x) {
  return linear_product(x, linear.weight, linear.bias);
}

at::Tensor mlp(const Mlp& mlp, const at::Tensor& x, const ModelConfig& config) {
  if (!mlp.gate_proj.weight.defined()) {
    at::Tensor hidden = apply(mlp.up_proj, x);
    activate(hidden, config.hidden_act);
    return apply(mlp.down_proj, hidden);
  }
  at::Tensor hidden = apply(mlp.gate_proj, x);
  activate_gate(hidden, apply(mlp.up_proj, x), config);
  return apply(mlp.down_proj, hidden);
}

Routing route(const Linear& router, const at::Tensor& x, const ExpertConfig& config) {
  const at::Tensor logits = apply(router, x);
  if (config.softmax_after_top_k) {
    const auto [best, experts] = at::topk(logits, config.num_experts_per_tok, -1);
    return {experts, at::softmax(best, -1)};
  }
  const at::Tensor shares = at::softmax(logits, -1, at::kFloat);
  auto [weights, experts] = at::topk(shares, config.num_experts_per_tok, -1);
  if (config.norm_topk_prob) weights = weights / weights.sum(-1, /*keepdim=*/true);
  return {experts, weights.to(x.scalar_type())};
}

at::Tensor mixture(const ExpertMixture& mixture, const at::Tensor& x, const ModelConfig& config) {
  const Routing routing = route(mixture.router, x, config.experts);
  const int64_t k = config.experts.num_experts_per_tok;
  // Slots (token, choice) in the order of their experts: each expert's are one run of them.
  const at::Tensor slots = routing.experts.flatten();
  const at::Tensor order = at::argsort(slots, /*stable=*/true, /*dim=*/0);
  const at::Tensor counts = at::bincount(slots, {}, config.experts.num_experts).cpu();
  const at::Tensor weights = routing.weights.flatten();
  at::Tensor out = at::zeros_like(x);
  int64_t begin = 0;
  for (int64_t expert = 0; expert < config.experts.num_experts; ++expert) {
    const int64_t count = counts.const_data_ptr<int64_t>()[expert];
    if (count == 0) continue;
    const at::Tensor mine = order.narrow(0, begin, count);
    begin += count;
    const at::Tensor rows = mine.floor_divide(k);
    at::Tensor result =
        mlp(mixture.experts[static_cast<size_t>(expert)], x.index_select(0, rows), config);
    out.index_add_(0, rows, result.mul_(weights.index_select(0, mine).unsqueeze(1)));
  }
  return out;
}

}  // namespace air
