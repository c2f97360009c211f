#include "model/kernels/cpu_token_nll.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "model/kernels/onednn.h"
#include "model/kernels/row_kernels.h"
#include "model/row_blocks.h"

namespace air {

namespace {

// A tile of logits of kTileRows × kTileVocab floats (512 KiB) stays in a core's cache between the
// product that makes it and the pass that reads it; the vocabulary's slice of the weights is used
// for all rows of a thread before the next.
constexpr int64_t kTileRows = 256;
constexpr int64_t kTileVocab = 512;

/// Rows [begin, end) on one thread. @param hidden may have more rows, which pad the last tile to a
/// multiple of kRowAlignment
void cpu_rows(const at::Tensor& hidden, const at::Tensor& lm_head, const LogitOptions& options,
              const int64_t* targets, int64_t begin, int64_t end, TokenNll& out) {
  c10::InferenceMode guard;
  const int64_t vocab = lm_head.size(0);
  std::vector<LogitStats> stats(static_cast<size_t>(end - begin));
  std::vector<float> target_logits(stats.size());
  for (int64_t v = 0; v < vocab; v += kTileVocab) {
    const int64_t width = std::min(kTileVocab, vocab - v);
    const at::Tensor weights = lm_head.narrow(0, v, width);
    const at::Tensor bias =
        options.bias.defined() ? options.bias.narrow(0, v, width) : at::Tensor();
    for (int64_t r = begin; r < end; r += kTileRows) {
      const int64_t height = std::min(kTileRows, end - r);
      const int64_t padded = round_up_rows(height);
      at::Tensor tile = onednn_linear(hidden.narrow(0, r, padded), weights);
      finish_logits(tile, bias, options.softcap);
      const float* logits = tile.const_data_ptr<float>();
      for (int64_t i = 0; i < height; ++i, logits += width) {
        const auto row = static_cast<size_t>(r - begin + i);
        accumulate_logits(logits, width, static_cast<int32_t>(v), stats[row]);
        const int64_t target = targets[r + i] - v;
        if (target >= 0 && target < width) target_logits[row] = logits[target];
      }
    }
  }
  for (size_t row = 0; row < stats.size(); ++row) {
    const auto at = static_cast<size_t>(begin) + row;
    out.nll[at] = stats[row].log_sum_exp() - static_cast<double>(target_logits[row]);
    out.entropy[at] = stats[row].entropy();
    out.top1[at] = stats[row].top1;
  }
}

}  // namespace

TokenNll cpu_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                       const at::Tensor& targets, const LogitOptions& options) {
  const int64_t rows = hidden.size(0);
  TokenNll out(rows);
  const at::Tensor ids = targets.contiguous();
  const int64_t threads = at::get_num_threads(), share = (rows + threads - 1) / threads;
  const at::Tensor padded =
      at::cat({hidden, at::zeros({kRowAlignment, hidden.size(1)}, hidden.options())});
  at::parallel_for(
      0, rows, std::max<int64_t>(round_up_rows(share), 1),
      [&](int64_t begin, int64_t end) {
        cpu_rows(padded, lm_head, options, ids.const_data_ptr<int64_t>(), begin, end, out);
      });
  return out;
}

}  // namespace air
