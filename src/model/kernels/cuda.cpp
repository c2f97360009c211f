// The operations on NVIDIA GPUs: ATen's, with fewer passes over memory where it has a fused kernel
// or cuda_rows.h one of ours.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_rms_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <tuple>

#include "model/device.h"
#include "model/kernels/cuda_attention.h"
#include "model/kernels/cuda_rows.h"
#include "model/kernels/kernels.h"

namespace air {

namespace {

// Logits of one piece where one kernel reads them: 1 GiB of float32. Fewer rows would make the
// product with lm_head slower.
constexpr int64_t kPieceLogits = int64_t{1} << 28;
constexpr int64_t kPieceRowStep = 128;

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (weight.dim() != 1) return aten_kernels().rms_norm(x, weight, eps);
  // One kernel, float32 inside and rounded once. It wants one dtype: float32 weights are those of
  // families that multiply before they round.
  const at::Tensor normed =
      std::get<0>(at::_fused_rms_norm(x.to(weight.scalar_type()), {x.size(-1)}, weight, eps));
  return normed.to(x.scalar_type());
}

void rope(at::Tensor& x, const RopeTable& table) {
  if (!cuda_rope(x, table)) aten_kernels().rope(x, table);
}

void gate(at::Tensor& gate, at::Tensor& up, const GateSpec& spec) {
  if (spec.activation == Activation::kSilu && cuda_silu_gate(gate, up)) return;
  aten_kernels().gate(gate, up, spec);
}

/// Logits in float32: not rounded to half precision on the way, as at::linear would.
/// @param hidden [R, hidden_size]   @param lm_head [V, hidden_size]
at::Tensor float_logits(const at::Tensor& hidden, const at::Tensor& lm_head) {
  if (hidden.scalar_type() == at::kFloat) return at::linear(hidden, lm_head);
  return at::mm(hidden, lm_head.t(), at::kFloat);
}

TokenNll token_nll(const at::Tensor& hidden, const at::Tensor& lm_head, const at::Tensor& targets,
                   const LogitOptions& options) {
  const int64_t rows = hidden.size(0);
  if (rows == 0 || !has_cuda_rows(hidden.device()))
    return aten_kernels().token_nll(hidden, lm_head, targets, options);
  const int64_t most = kPieceLogits / lm_head.size(0) / kPieceRowStep * kPieceRowStep;
  const int64_t step = std::max(most, kPieceRowStep);
  const at::Tensor all_targets = upload(targets, hidden.device());
  const auto floats = hidden.options().dtype(at::kFloat);
  const at::Tensor nll = at::empty({rows}, floats), entropy = at::empty({rows}, floats),
                   top1 = at::empty({rows}, floats.dtype(at::kInt));
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t height = std::min(step, rows - begin);
    const auto piece = [&](const at::Tensor& all) { return all.narrow(0, begin, height); };
    at::Tensor piece_nll = piece(nll), piece_entropy = piece(entropy), piece_top1 = piece(top1);
    if (!cuda_logit_stats(float_logits(piece(hidden), lm_head), options, piece(all_targets),
                          piece_nll, piece_entropy, piece_top1))
      return aten_kernels().token_nll(hidden, lm_head, targets, options);
  }
  return fetch_token_nll(nll, entropy, top1);
}

}  // namespace

const Kernels& cuda_kernels() {
  static const Kernels kernels = [] {
    Kernels all = aten_kernels();
    all.rms_norm = rms_norm;
    all.rope = rope;
    all.gate = gate;
    all.attention = cuda_attention;
    all.token_nll = token_nll;
    return all;
  }();
  return kernels;
}

}  // namespace air
