// The operations in bfloat16 and float16 on the CPU: tensors have the half dtype, what is computed
// inside an operation is float32, and a result is rounded once. Rows are widened in the core's
// nearest cache and pass through the kernels of float32. Where the processor has no products of the
// dtype, those are float32's too, of weights that are widened piece by piece.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <vector>

#include "model/kernels/aten_attention.h"
#include "model/kernels/cpu_attention.h"
#include "model/kernels/cpu_token_nll.h"
#include "model/kernels/kernels.h"
#include "model/kernels/micro_kernel.h"
#include "model/kernels/onednn.h"
#include "model/kernels/row_kernels.h"
#include "model/kernels/weight_panels.h"

namespace air {

namespace {

HalfBits* bits_of(at::Tensor& x) { return static_cast<HalfBits*>(x.data_ptr()); }

const HalfBits* bits_of(const at::Tensor& x) {
  return static_cast<const HalfBits*>(x.const_data_ptr());
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (!x.is_contiguous() || weight.dim() != 1) return aten_kernels().rms_norm(x, weight, eps);
  const int64_t width = weight.size(0), rows = x.numel() / width;
  const at::Tensor wide_weight = weight.to(at::kFloat).contiguous();
  at::Tensor out = at::empty_like(x);
  std::vector<float> row(width);
  for (int64_t i = 0; i < rows; ++i) {
    widen(x.scalar_type(), bits_of(x) + i * width, width, row.data());
    rms_norm_rows({row.data(), 1, width}, wide_weight.const_data_ptr<float>(),
                  static_cast<float>(eps), row.data());
    narrow(x.scalar_type(), row.data(), width, bits_of(out) + i * width);
  }
  return out;
}

void rope(at::Tensor& x, const RopeTable& table) {
  if (!x.is_contiguous() || table.interleaved) {
    at::Tensor wide = x.to(at::kFloat);
    aten_kernels().rope(wide, table);
    x.copy_(wide);
    return;
  }
  const int64_t half = table.cos.size(-1), width = x.size(1) * x.size(2);
  const auto *cos = table.cos.const_data_ptr<float>(), *sin = table.sin.const_data_ptr<float>();
  std::vector<float> row(width);
  for (int64_t i = 0; i < x.size(0); ++i) {
    HalfBits* numbers = bits_of(x) + i * width;
    widen(x.scalar_type(), numbers, width, row.data());
    rotate_halves({row.data(), 1, x.size(1), x.size(2)}, half, cos + i * half, sin + i * half);
    narrow(x.scalar_type(), row.data(), width, numbers);
  }
}

void gate(at::Tensor& gate, at::Tensor& up, const GateSpec& spec) {
  const bool silu = spec.activation == Activation::kSilu;
  if (!gate.is_contiguous() || !up.is_contiguous() ||
      (!silu && spec.activation != Activation::kGeluTanh))
    return aten_kernels().gate(gate, up, spec);
  constexpr int64_t kPiece = 2048;
  std::vector<float> gates(kPiece), ups(kPiece);
  for (int64_t begin = 0; begin < gate.numel(); begin += kPiece) {
    const int64_t count = std::min(kPiece, gate.numel() - begin);
    widen(gate.scalar_type(), bits_of(gate) + begin, count, gates.data());
    widen(up.scalar_type(), bits_of(up) + begin, count, ups.data());
    (silu ? silu_gate : gelu_tanh_gate)(gates.data(), ups.data(), count);
    narrow(gate.scalar_type(), gates.data(), count, bits_of(gate) + begin);
  }
}

/// The product in float32, of as many of the weight's rows at a time as stay in the cache.
at::Tensor widened_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor wide = x.to(at::kFloat);
  at::Tensor out = at::empty({x.size(0), weight.size(0)}, x.options());
  for (int64_t begin = 0; begin < weight.size(0); begin += kWidenedRows) {
    const int64_t count = std::min(kWidenedRows, weight.size(0) - begin);
    const at::Tensor part_bias =
        bias.defined() ? bias.narrow(0, begin, count).to(at::kFloat) : at::Tensor();
    out.narrow(1, begin, count)
        .copy_(onednn_linear(wide, weight.narrow(0, begin, count).to(at::kFloat), part_bias));
  }
  return out;
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (in_panels(weight)) return panel_linear(x.contiguous(), weight, bias);
  return has_micro_kernel(x.scalar_type()) ? onednn_linear(x, weight, bias)
                                           : widened_linear(x, weight, bias);
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const PackedSequences& sequences, const AttentionSpec& spec) {
  if (has_micro_kernel(q.scalar_type()) && q.size(2) % 2 == 0)
    return cpu_attention(q, k, v, sequences, spec);
  const auto float_attention = has_onednn() ? cpu_attention : aten_attention;
  return float_attention(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), sequences, spec)
      .to(q.scalar_type());
}

TokenNll token_nll(const at::Tensor& hidden, const at::Tensor& lm_head, const at::Tensor& targets,
                   const LogitOptions& options) {
  const bool halves = has_micro_kernel(hidden.scalar_type()) && hidden.size(1) % 2 == 0;
  return cpu_token_nll(halves ? hidden : hidden.to(at::kFloat), lm_head, targets, options);
}

}  // namespace

const Kernels& cpu_half_kernels() {
  static const Kernels kernels = [] {
    Kernels k = aten_kernels();
    k.rms_norm = rms_norm;
    k.rope = rope;
    k.gate = gate;
    k.linear = linear;
    k.add_product = nullptr;
    k.attention = attention;
    k.attention_rows = cpu_attention_rows;
    k.token_nll = token_nll;
    return k;
  }();
  return kernels;
}

}  // namespace air
