#include "model/activation.h"

#include "model/kernels/kernels.h"

namespace air {

void activate(at::Tensor& x, Activation activation) { kernels_of(x).activation(x, activation); }

void apply_gate(at::Tensor& gate, at::Tensor& up, const GateSpec& spec) {
  kernels_of(gate).gate(gate, up, spec);
}

}  // namespace air
