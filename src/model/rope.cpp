#include "air/model/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/pow.h>

namespace air {

RopeTable make_rope_table(const RopeConfig& config, const at::Tensor& positions, at::ScalarType dtype) {
  // Frequencies are made on the CPU: powers differ between devices in the last bit, and long positions multiply that.
  const at::Tensor exponents =
      at::arange(0, config.rotary_dim, 2, at::TensorOptions().dtype(at::kFloat)) / static_cast<double>(config.rotary_dim);
  const at::Tensor inverse_frequencies = at::pow(config.theta, exponents).reciprocal();
  const at::Tensor angles =
      positions.to(at::kFloat).unsqueeze(1) * inverse_frequencies.to(positions.device()).unsqueeze(0);
  return {angles.cos().unsqueeze(1).to(dtype), angles.sin().unsqueeze(1).to(dtype)};
}

void apply_rope(at::Tensor& x, const RopeTable& table) {
  const int64_t half = table.cos.size(-1);
  at::Tensor first = x.narrow(-1, 0, half);
  at::Tensor second = x.narrow(-1, half, half);
  const at::Tensor rotated = second * table.cos;
  rotated.addcmul_(first, table.sin);
  first.mul_(table.cos).addcmul_(second, table.sin, -1);
  second.copy_(rotated);
}

}  // namespace air
