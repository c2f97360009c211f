#include "model/per_layer_input.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/scalar_tensor.h>

#include <cmath>
#include <numbers>

#include "model/activation.h"

namespace air {

at::Tensor per_layer_addition(const PerLayerInput& input, const at::Tensor& output,
                              const TokenInputs& tokens, const ModelConfig& config) {
  const auto root_of = [](int64_t size) { return std::sqrt(static_cast<double>(size)); };
  const at::TensorOptions options = input.embed_tokens.options();  // the states may be wider
  const at::Tensor projected = apply_linear(input.model_proj, tokens.embedded.to(options))
                                   .mul_(1.0 / root_of(config.hidden_size));
  // The factor of an embedding is rounded to the model's dtype, as that of the model's own.
  const at::Tensor looked_up =
      at::embedding(input.embed_tokens, tokens.ids)
          .mul_(at::scalar_tensor(root_of(config.per_layer_input.size), options));
  at::Tensor added =
      apply_norm(projected, input.norm, config.norm).add(looked_up).mul_(1.0 / std::numbers::sqrt2);
  at::Tensor gate = apply_linear(input.gate, output.to(options));
  apply_gate(gate, added, {config.hidden_act});
  return apply_norm(apply_linear(input.out_proj, gate), input.out_norm, config.norm);
}

}  // namespace air
