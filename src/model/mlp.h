// The feed-forward part of a block: one MLP, or a mixture of experts.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/linear.h"
#include "model/model_config.h"

namespace air {

/// down(act(gate(x)) · up(x)), or down(act(up(x))) where gate is undefined.
struct Mlp {
  Linear gate_proj, up_proj;  ///< [intermediate, hidden]
  Linear down_proj;           ///< [hidden, intermediate]
};

/// Experts, of which a router chooses a few for each token.
struct ExpertMixture {
  Linear router;  ///< [E, hidden]
  at::Tensor
      selection_bias;       ///< [E] float32, or undefined: added to the scores for the choice only
  at::Tensor expert_scale;  ///< [E] float32, or undefined: what an expert's weight is multiplied by
  Mlp shared;               ///< passed by every token; undefined where the family has none
  Linear shared_gate;       ///< [1, hidden], or undefined
  Linear latent_in;         ///< [latent, hidden]: makes what the experts read; or undefined
  Linear latent_out;        ///< [hidden, latent]: of what they say together; or undefined
  std::vector<Mlp> experts;  ///< E of them; empty: the layer has one plain Mlp
  /// The same, each part of all experts in one tensor, [E, out, in] and [E, out]; undefined: they
  /// are taken one by one.
  Mlp stacked;
};

/// Fills `stacked` and makes the experts views of it, so that one grouped product does each part
/// for all experts and nothing waits for their sizes. Does nothing where the grouped product does
/// not take the sizes (rows of 16 bytes).
void stack_experts(ExpertMixture& mixture);

/// What down_proj reads. @param x [N, hidden]   @return [N, inner]
at::Tensor mlp_hidden(const Mlp& mlp, const at::Tensor& x, const ModelConfig& config);

/// @param x [N, hidden]   @return [N, hidden]
at::Tensor apply_mlp(const Mlp& mlp, const at::Tensor& x, const ModelConfig& config);

/// Which experts a token goes to, and with what weights.
struct Routing {
  at::Tensor experts;  ///< [N, k] int64
  at::Tensor weights;  ///< [N, k], in x's dtype
};

/// @param x [N, hidden]
Routing route(const ExpertMixture& mixture, const at::Tensor& x, const ExpertConfig& config);

/// As route and the mixture below, in one.
at::Tensor apply_mixture(const ExpertMixture& mixture, const at::Tensor& x,
                         const ModelConfig& config);

/// Rows are gathered expert by expert, so that each expert's weights are read once. What a token's
/// experts say is added in the order of its choices.
/// @param x [N, hidden]   @return [N, hidden]
at::Tensor apply_mixture(const ExpertMixture& mixture, const at::Tensor& x, const Routing& routing,
                         const ModelConfig& config);

}  // namespace air
