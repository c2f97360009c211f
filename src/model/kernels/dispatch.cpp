#include "model/kernels/cuda_rows.h"
#include "model/kernels/kernels.h"
#include "model/kernels/micro_kernel.h"

namespace air {

const Kernels& kernels_of(const at::Tensor& x) {
  // The meta device computes nothing: tests take it for a GPU that nothing may be read back from.
  if (x.is_cuda() || x.is_meta()) return cuda_kernels();
  if (!x.is_cpu()) return aten_kernels();
  if (is_half(x.scalar_type())) return cpu_half_kernels();
  return x.scalar_type() == at::kFloat ? cpu_float_kernels() : aten_kernels();
}

void prepare_kernels(at::Device device) { has_cuda_rows(device); }

}  // namespace air
