#include "model/mlp.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_grouped_mm.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "model/activation.h"

namespace air {

at::Tensor mlp_hidden(const Mlp& mlp, const at::Tensor& x, const ModelConfig& config) {
  at::Tensor hidden = apply_linear(mlp.up_proj, x);
  if (mlp.gate_proj.weight.defined()) {
    at::Tensor gate = apply_linear(mlp.gate_proj, x);
    if (config.mlp_gate_multiplier != 1.0) gate.mul_(config.mlp_gate_multiplier);
    apply_gate(gate, hidden, {config.hidden_act, config.swiglu_alpha, config.swiglu_limit});
    hidden = gate;
  } else {
    activate(hidden, config.hidden_act);
  }
  return hidden;
}

at::Tensor apply_mlp(const Mlp& mlp, const at::Tensor& x, const ModelConfig& config) {
  const at::Tensor output = apply_linear(mlp.down_proj, mlp_hidden(mlp, x, config));
  return config.mlp_out_multiplier == 1.0 ? output : output.mul_(config.mlp_out_multiplier);
}

namespace {

/// Scores of the experts, −∞ for those outside a token's best groups. @param ranked [N, E]
at::Tensor of_best_groups(const at::Tensor& ranked, const ExpertConfig& config) {
  const at::Tensor groups = ranked.unflatten(1, {config.num_groups, -1});  // [N, G, E / G]
  const at::Tensor of_group = config.best_expert_ranks_group
                                  ? groups.amax(-1)
                                  : std::get<0>(at::topk(groups, 2, -1)).sum(-1);
  const at::Tensor best = std::get<1>(at::topk(of_group, config.groups_per_tok, -1));
  const at::Tensor left_out = at::ones_like(of_group, at::kBool).scatter_(1, best, false);
  return groups.masked_fill(left_out.unsqueeze(-1), -std::numeric_limits<float>::infinity())
      .flatten(1);
}

}  // namespace

Routing route(const ExpertMixture& mixture, const at::Tensor& x, const ExpertConfig& config) {
  const at::Tensor logits = apply_linear(mixture.router, x.to(mixture.router.weight.scalar_type()));
  const int64_t k = config.num_experts_per_tok;
  if (config.softmax_after_top_k) {
    const auto [best, experts] = at::topk(logits, k, -1);
    return {experts, at::softmax(best, -1)};
  }
  const at::Tensor shares =
      config.sigmoid_scores ? at::sigmoid(logits) : at::softmax(logits, -1, at::kFloat);
  at::Tensor ranked = mixture.selection_bias.defined() ? shares + mixture.selection_bias : shares;
  if (config.groups_per_tok < config.num_groups) ranked = of_best_groups(ranked, config);
  const at::Tensor experts = std::get<1>(at::topk(ranked, k, -1));
  at::Tensor weights = shares.gather(1, experts);
  if (config.norm_topk_prob)
    weights = weights / (weights.sum(-1, /*keepdim=*/true) + config.norm_eps);
  if (config.routed_multiplier != 1.0) weights = weights * config.routed_multiplier;
  if (mixture.expert_scale.defined())
    weights = weights * mixture.expert_scale.index_select(0, experts.flatten()).view_as(weights);
  return {experts, weights.to(x.scalar_type())};
}

void stack_experts(ExpertMixture& mixture) {
  constexpr int64_t kRowBytes = 16;
  const Mlp& first = mixture.experts.front();
  for (const Linear& part : {first.up_proj, first.down_proj})
    if (part.weight.size(1) * part.weight.element_size() % kRowBytes != 0) return;
  const auto stack = [&](Linear Mlp::*part) {
    for (at::Tensor Linear::*tensor : {&Linear::weight, &Linear::bias}) {
      if (!(first.*part.*tensor).defined()) continue;
      std::vector<at::Tensor> each;
      for (const Mlp& expert : mixture.experts) each.push_back(expert.*part.*tensor);
      const at::Tensor all = at::stack(each);
      mixture.stacked.*part.*tensor = all;
      for (size_t i = 0; i < mixture.experts.size(); ++i)
        mixture.experts[i].*part.*tensor = all[static_cast<int64_t>(i)];
    }
  };
  stack(&Mlp::gate_proj);
  stack(&Mlp::up_proj);
  stack(&Mlp::down_proj);
}

namespace {

/// Slots (token, choice) in the order of their experts: each expert's are one run of them.
struct Slots {
  at::Tensor order;    ///< [N · k] int64: slot at each place
  at::Tensor experts;  ///< [N · k] int64: expert at each place
  at::Tensor rows;     ///< [N · k] int64: token at each place
};

Slots sorted_slots(const Routing& routing) {
  const at::Tensor slots = routing.experts.flatten();
  const at::Tensor order = at::argsort(slots, /*stable=*/true, /*dim=*/0);
  return {order, slots.index_select(0, order), order.floor_divide(routing.experts.size(1))};
}

/// [experts] int32: the place after each expert's last slot.
at::Tensor ends_of_experts(const Slots& slots, int64_t num_experts) {
  return at::searchsorted(slots.experts, at::arange(num_experts, slots.experts.options()),
                          /*out_int32=*/true, /*right=*/true);
}

/// All experts' part of the mixture by one product for each of their matrices.
at::Tensor grouped_experts(const ExpertMixture& mixture, const at::Tensor& x,
                           const Routing& routing, const ModelConfig& config) {
  const Slots slots = sorted_slots(routing);
  const Mlp& all = mixture.stacked;
  const at::Tensor ends = ends_of_experts(slots, all.up_proj.weight.size(0));
  const auto product = [&](const at::Tensor& input, const Linear& part) {
    at::Tensor output = at::_grouped_mm(input, part.weight.transpose(1, 2), ends);
    if (part.bias.defined()) output.add_(part.bias.index_select(0, slots.experts));
    return output;
  };
  at::Tensor hidden;
  {
    const at::Tensor gathered = x.index_select(0, slots.rows);
    hidden = product(gathered, all.up_proj);
    if (all.gate_proj.weight.defined()) {
      at::Tensor gate = product(gathered, all.gate_proj);
      apply_gate(gate, hidden, {config.hidden_act, config.swiglu_alpha, config.swiglu_limit});
      hidden = gate;
    } else {
      activate(hidden, config.hidden_act);
    }
  }
  hidden = product(hidden, all.down_proj);
  hidden.mul_(routing.weights.flatten().index_select(0, slots.order).unsqueeze(1));
  const at::Tensor back = at::argsort(slots.order);
  return hidden.index_select(0, back).view({x.size(0), routing.experts.size(1), x.size(1)}).sum(1);
}

at::Tensor each_expert(const ExpertMixture& mixture, const at::Tensor& x, const Routing& routing,
                       const ModelConfig& config) {
  const Slots slots = sorted_slots(routing);
  const at::Tensor ends = ends_of_experts(slots, config.experts.num_experts).cpu();
  const at::Tensor weights = routing.weights.flatten();
  at::Tensor out = at::zeros_like(x);
  int64_t begin = 0;
  for (int64_t expert = 0; expert < config.experts.num_experts; ++expert) {
    const int64_t count = ends.const_data_ptr<int32_t>()[expert] - begin;
    if (count == 0) continue;
    const at::Tensor mine = slots.order.narrow(0, begin, count);
    const at::Tensor rows = slots.rows.narrow(0, begin, count);
    begin += count;
    at::Tensor result = apply_mlp(mixture.experts[expert], x.index_select(0, rows), config);
    out.index_add_(0, rows, result.mul_(weights.index_select(0, mine).unsqueeze(1)));
  }
  return out;
}

}  // namespace

at::Tensor apply_mixture(const ExpertMixture& mixture, const at::Tensor& x,
                         const ModelConfig& config) {
  return apply_mixture(mixture, x, route(mixture, x, config.experts), config);
}

at::Tensor apply_mixture(const ExpertMixture& mixture, const at::Tensor& x, const Routing& routing,
                         const ModelConfig& config) {
  const bool latent = mixture.latent_in.weight.defined();
  const at::Tensor input = latent ? apply_linear(mixture.latent_in, x) : x;
  at::Tensor out = mixture.stacked.up_proj.weight.defined()
                       ? grouped_experts(mixture, input, routing, config)
                       : each_expert(mixture, input, routing, config);
  if (latent) out = apply_linear(mixture.latent_out, out);
  if (!mixture.shared.up_proj.weight.defined()) return out;
  const at::Tensor shared = apply_mlp(mixture.shared, x, config);
  if (mixture.shared_gate.weight.defined())
    out.addcmul_(shared, apply_linear(mixture.shared_gate, x).sigmoid_());
  else
    out.add_(shared);
  return out;
}

}  // namespace air
