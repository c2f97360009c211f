// The operations in float32 on the CPU: passes over rows of its own (row_kernels.h), oneDNN's
// products. What a kernel does not take goes to ATen.
#include <ATen/ops/empty_like.h>

#include "model/kernels/cpu_attention.h"
#include "model/kernels/cpu_token_nll.h"
#include "model/kernels/kernels.h"
#include "model/kernels/onednn.h"
#include "model/kernels/row_kernels.h"
#include "model/kernels/weight_panels.h"

namespace air {

namespace {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!x.is_contiguous() || weight.dim() != 1) return aten_kernels().rms_norm(x, weight, eps);
  at::Tensor out = at::empty_like(x);
  const int64_t width = weight.size(0);
  const at::Tensor wide_weight = weight.to(at::kFloat);  // of a model in half precision
  rms_norm_rows({x.const_data_ptr<float>(), x.numel() / width, width},
                wide_weight.const_data_ptr<float>(), static_cast<float>(eps),
                out.data_ptr<float>());
  return out;
}

void rope(at::Tensor& x, const RopeTable& table) {
  if (!x.is_contiguous() || table.interleaved) return aten_kernels().rope(x, table);
  rotate_halves({x.data_ptr<float>(), x.size(0), x.size(1), x.size(2)}, table.cos.size(-1),
                table.cos.const_data_ptr<float>(), table.sin.const_data_ptr<float>());
}

void gate(at::Tensor& gate, at::Tensor& up, const GateSpec& spec) {
  const bool contiguous = gate.is_contiguous() && up.is_contiguous();
  if (contiguous && spec.activation == Activation::kSilu)
    silu_gate(gate.data_ptr<float>(), up.const_data_ptr<float>(), gate.numel());
  else if (contiguous && spec.activation == Activation::kGeluTanh)
    gelu_tanh_gate(gate.data_ptr<float>(), up.const_data_ptr<float>(), gate.numel());
  else
    aten_kernels().gate(gate, up, spec);
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return in_panels(weight) ? panel_linear(x.contiguous(), weight, bias)
                           : onednn_linear(x, weight, bias);
}

}  // namespace

const Kernels& cpu_float_kernels() {
  static const Kernels kernels = [] {
    Kernels k = aten_kernels();
    k.rms_norm = rms_norm;
    k.rope = rope;
    k.gate = gate;
    k.linear = linear;
    k.add_product = nullptr;
    // Without oneDNN's products, ATen's fused attention is faster.
    if (has_onednn()) k.attention = cpu_attention;
    k.attention_rows = cpu_attention_rows;
    k.token_nll = cpu_token_nll;
    return k;
  }();
  return kernels;
}

}  // namespace air
