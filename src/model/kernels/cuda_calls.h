// How the kernels of cuda_rows.cu are called: tensors become grids and arguments. Nothing here asks
// for a GPU, so that tests run the same calls on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>
#include <tuple>

#include "model/rope.h"
#include "model/token_nll.h"

namespace air {

/// The text of cuda_rows.cu, which the build puts into the program, and its kernels.
extern const std::string_view kCudaRows;
inline constexpr const char* kCudaRowsKernels[] = {
    "silu_gate_bfloat16",    "silu_gate_float16", "rotate_halves_bfloat16",
    "rotate_halves_float16", "logit_stats_raw",   "logit_stats_finished"};

/// A kernel to run on a grid of blocks in one dimension. @tparam Arguments the kernel's parameters,
/// which have its types exactly
template <typename... Arguments>
struct KernelCall {
  const char* kernel;  ///< its name in cuda_rows.cu
  unsigned blocks;     ///< 0: there is nothing to do
  unsigned threads_x;
  unsigned threads_y;
  std::tuple<Arguments...> arguments;
};

/// Values of half precision and token ids, as cuda_rows.cu has them.
using HalfBits = unsigned short;
using KernelId = long long;

using SiluGateCall = KernelCall<HalfBits* /*gate*/, const HalfBits* /*up*/,
                                long long /*gate_stride*/, long long /*up_stride*/, int /*inner*/>;
using RopeCall = KernelCall<HalfBits* /*x*/, const HalfBits* /*cos*/, const HalfBits* /*sin*/,
                            long long /*rows*/, long long /*row_stride*/, long long /*head_stride*/,
                            int /*heads*/, int /*half*/>;
using LogitStatsCall =
    KernelCall<const float* /*logits*/, long long /*row_stride*/, int /*vocab*/,
               const float* /*bias*/, float /*softcap*/, const KernelId* /*targets*/,
               float* /*nll*/, float* /*entropy*/, int* /*top1*/>;

/// The call for what cuda_rows.h says of each operation; nothing where no kernel suits the dtypes,
/// the layout or the alignment. The tensors must outlive the kernel's run.
std::optional<SiluGateCall> silu_gate_call(const at::Tensor& gate, const at::Tensor& up);
std::optional<RopeCall> rope_call(const at::Tensor& x, const RopeTable& table);
/// @param bias [V] contiguous float32, or undefined
std::optional<LogitStatsCall> logit_stats_call(const at::Tensor& logits, const at::Tensor& bias,
                                               double softcap, const at::Tensor& targets,
                                               const at::Tensor& nll, const at::Tensor& entropy,
                                               const at::Tensor& top1);

}  // namespace air
