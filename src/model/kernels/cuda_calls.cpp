#include "model/kernels/cuda_calls.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace air {

namespace {

constexpr int64_t kVector = 8;  // values of half precision that one thread moves at once: 16 bytes
constexpr int64_t kWarp = 32;
constexpr int64_t kThreads = 256;        // a block's, at most
constexpr unsigned kLogitThreads = 512;  // cuda_rows.cu: at most 16 warps
constexpr int64_t kMostBlocks = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostWidth = int64_t{1} << 30;  // columns are counted in int, a block ahead

bool is_half(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
}

const char* of_dtype(const at::Tensor& x, const char* bfloat16, const char* float16) {
  return x.scalar_type() == at::kBFloat16 ? bfloat16 : float16;
}

bool same_kind(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.device() == b.device();
}

bool is_aligned(const at::Tensor& x) {
  return reinterpret_cast<uintptr_t>(x.const_data_ptr()) % (kVector * sizeof(HalfBits)) == 0;
}

/// Whether every vector of x's last dimension is aligned.
bool has_vectors(const at::Tensor& x) {
  bool fits = x.stride(-1) == 1 && is_aligned(x);
  for (int64_t i = 0; i + 1 < x.dim(); ++i)
    fits = fits && (x.size(i) == 1 || x.stride(i) % kVector == 0);
  return fits;
}

const HalfBits* bits(const at::Tensor& x) {
  return static_cast<const HalfBits*>(x.const_data_ptr());
}

HalfBits* mutable_bits(const at::Tensor& x) { return static_cast<HalfBits*>(x.data_ptr()); }

bool is_column(const at::Tensor& x, at::ScalarType dtype, const at::Tensor& logits) {
  return x.defined() && x.scalar_type() == dtype && x.device() == logits.device() && x.dim() == 1 &&
         x.size(0) == logits.size(0) && x.is_contiguous();
}

}  // namespace

std::optional<SiluGateCall> silu_gate_call(const at::Tensor& gate, const at::Tensor& up) {
  if (!is_half(gate) || !same_kind(gate, up) || gate.dim() != 2 || gate.sizes() != up.sizes())
    return std::nullopt;
  const int64_t rows = gate.size(0), inner = gate.size(1);
  if (rows > kMostBlocks || inner == 0 || inner > kMostWidth || inner % kVector != 0 ||
      !has_vectors(gate) || !has_vectors(up))
    return std::nullopt;
  const int64_t warps = (inner / kVector + kWarp - 1) / kWarp;
  return SiluGateCall{.kernel = of_dtype(gate, "silu_gate_bfloat16", "silu_gate_float16"),
                      .blocks = static_cast<unsigned>(rows),
                      .threads_x = static_cast<unsigned>(std::min(warps * kWarp, kThreads)),
                      .threads_y = 1,
                      .arguments = {mutable_bits(gate), bits(up), gate.stride(0), up.stride(0),
                                    static_cast<int>(inner)}};
}

std::optional<RopeCall> rope_call(const at::Tensor& x, const RopeTable& table) {
  if (table.interleaved || !is_half(x) || x.dim() != 3 || !same_kind(x, table.cos) ||
      !same_kind(x, table.sin) || table.cos.dim() != 3 || table.cos.sizes() != table.sin.sizes())
    return std::nullopt;
  const int64_t rows = x.size(0), heads = x.size(1), half = table.cos.size(2);
  if (table.cos.size(0) != rows || table.cos.size(1) != 1 || 2 * half > x.size(2) || half == 0 ||
      half % kVector != 0 || !table.cos.is_contiguous() || !table.sin.is_contiguous())
    return std::nullopt;
  if (heads == 0 || heads * half > kMostWidth || rows > kMostBlocks || !has_vectors(x) ||
      !is_aligned(table.cos) || !is_aligned(table.sin))
    return std::nullopt;
  const int64_t across = std::min(heads * half / kVector, kThreads), down = kThreads / across;
  return RopeCall{
      .kernel = of_dtype(x, "rotate_halves_bfloat16", "rotate_halves_float16"),
      .blocks = static_cast<unsigned>((rows + down - 1) / down),
      .threads_x = static_cast<unsigned>(across),
      .threads_y = static_cast<unsigned>(down),
      .arguments = {mutable_bits(x), bits(table.cos), bits(table.sin), rows, x.stride(0),
                    x.stride(1), static_cast<int>(heads), static_cast<int>(half)}};
}

std::optional<LogitStatsCall> logit_stats_call(const at::Tensor& logits, const at::Tensor& bias,
                                               double softcap, const at::Tensor& targets,
                                               const at::Tensor& nll, const at::Tensor& entropy,
                                               const at::Tensor& top1) {
  if (logits.scalar_type() != at::kFloat || logits.dim() != 2 || logits.stride(1) != 1)
    return std::nullopt;
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  if (rows > kMostBlocks || vocab == 0 || vocab > kMostWidth ||
      !is_column(targets, at::kLong, logits) || !is_column(nll, at::kFloat, logits) ||
      !is_column(entropy, at::kFloat, logits) || !is_column(top1, at::kInt, logits))
    return std::nullopt;
  if (bias.defined() && (!same_kind(bias, logits) || bias.dim() != 1 || bias.size(0) != vocab ||
                         !bias.is_contiguous()))
    return std::nullopt;
  static_assert(sizeof(KernelId) == sizeof(int64_t));
  const bool raw = !bias.defined() && !(softcap > 0);
  return LogitStatsCall{
      .kernel = raw ? "logit_stats_raw" : "logit_stats_finished",
      .blocks = static_cast<unsigned>(rows),
      .threads_x = kLogitThreads,
      .threads_y = 1,
      .arguments = {logits.const_data_ptr<float>(), logits.stride(0), static_cast<int>(vocab),
                    bias.defined() ? bias.const_data_ptr<float>() : nullptr,
                    static_cast<float>(softcap),
                    reinterpret_cast<const KernelId*>(targets.const_data_ptr<int64_t>()),
                    nll.data_ptr<float>(), entropy.data_ptr<float>(), top1.data_ptr<int32_t>()}};
}

}  // namespace air
