#include "model/mlp.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>

#include "model/activation.h"

namespace air {

at::Tensor apply_mlp(const Mlp& mlp, const at::Tensor& x, const ModelConfig& config) {
  at::Tensor hidden = apply_linear(mlp.up_proj, x);
  if (mlp.gate_proj.weight.defined()) {
    at::Tensor gate = apply_linear(mlp.gate_proj, x);
    apply_gate(gate, hidden, {config.hidden_act, config.swiglu_alpha, config.swiglu_limit});
    hidden = gate;
  } else {
    activate(hidden, config.hidden_act);
  }
  return apply_linear(mlp.down_proj, hidden);
}

Routing route(const ExpertMixture& mixture, const at::Tensor& x, const ExpertConfig& config) {
  const at::Tensor logits = apply_linear(mixture.router, x);
  const int64_t k = config.num_experts_per_tok;
  if (config.softmax_after_top_k) {
    const auto [best, experts] = at::topk(logits, k, -1);
    return {experts, at::softmax(best, -1)};
  }
  const at::Tensor shares =
      config.sigmoid_scores ? at::sigmoid(logits) : at::softmax(logits, -1, at::kFloat);
  const at::Tensor ranked =
      mixture.selection_bias.defined() ? shares + mixture.selection_bias : shares;
  const at::Tensor experts = std::get<1>(at::topk(ranked, k, -1));
  at::Tensor weights = shares.gather(1, experts);
  if (config.norm_topk_prob)
    weights = weights / (weights.sum(-1, /*keepdim=*/true) + config.norm_eps);
  if (config.routed_multiplier != 1.0) weights = weights * config.routed_multiplier;
  return {experts, weights.to(x.scalar_type())};
}

at::Tensor apply_mixture(const ExpertMixture& mixture, const at::Tensor& x,
                         const ModelConfig& config) {
  const Routing routing = route(mixture, x, config.experts);
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
    at::Tensor result = apply_mlp(mixture.experts[expert], x.index_select(0, rows), config);
    out.index_add_(0, rows, result.mul_(weights.index_select(0, mine).unsqueeze(1)));
  }
  if (mixture.shared.up_proj.weight.defined())
    out.addcmul_(apply_mlp(mixture.shared, x, config),
                 apply_linear(mixture.shared_gate, x).sigmoid_());
  return out;
}

}  // namespace air
