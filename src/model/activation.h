// Activations of the feed-forward part.
#pragma once

#include <ATen/core/Tensor.h>

namespace air {

enum class Activation {
  kSilu,
  kGelu,
  kGeluTanh,
  kRelu2,          ///< max(x, 0)²
  kClampedSwiglu,  ///< gpt_oss: (up + 1) · gate · sigmoid(α · gate), both clamped; needs a gate
};

/// What becomes of a gate and what it gates.
struct GateSpec {
  Activation activation = Activation::kSilu;
  double swiglu_alpha = 0.0;  ///< kClampedSwiglu
  double swiglu_limit = 0.0;  ///< kClampedSwiglu
};

/// x becomes act(x). @param activation one that needs no gate
void activate(at::Tensor& x, Activation activation);

/// gate becomes act(gate) · up. @param up of gate's shape; its values are not kept
void apply_gate(at::Tensor& gate, at::Tensor& up, const GateSpec& spec);

}  // namespace air
