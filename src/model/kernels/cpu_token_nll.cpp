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

/// What all threads read.
struct Inputs {
  at::Tensor hidden;  ///< more rows than targets, which pad the last tile to whole blocks of rows
  const at::Tensor& lm_head;
  const int64_t* targets;
  const LogitOptions& options;
};

/// What one thread knows of its rows [begin, end) so far.
struct RowStats {
  int64_t begin, end;
  std::vector<LogitStats> stats;
  std::vector<float> target_logits;
};

/// The logits of tokens [first, first + lm_head's rows) for all rows of a thread, a tile at a time.
void add_tokens(const Inputs& in, int64_t first, RowStats& rows) {
  const int64_t width = std::min(kTileVocab, in.lm_head.size(0) - first);
  const at::Tensor weights = in.lm_head.narrow(0, first, width);
  const at::Tensor bias =
      in.options.bias.defined() ? in.options.bias.narrow(0, first, width) : at::Tensor();
  for (int64_t begin = rows.begin; begin < rows.end; begin += kTileRows) {
    const int64_t height = std::min(kTileRows, rows.end - begin);
    at::Tensor tile = onednn_linear(in.hidden.narrow(0, begin, round_up_rows(height)), weights);
    finish_logits(tile, bias, in.options.softcap);
    const float* logits = tile.const_data_ptr<float>();
    for (int64_t row = begin; row < begin + height; ++row, logits += width) {
      accumulate_logits(logits, width, static_cast<int32_t>(first), rows.stats[row - rows.begin]);
      const int64_t target = in.targets[row] - first;
      if (target >= 0 && target < width) rows.target_logits[row - rows.begin] = logits[target];
    }
  }
}

/// Rows [begin, end) on one thread.
void score_rows(const Inputs& in, int64_t begin, int64_t end, TokenNll& out) {
  c10::InferenceMode guard;
  RowStats rows{begin, end, std::vector<LogitStats>(end - begin), std::vector<float>(end - begin)};
  for (int64_t first = 0; first < in.lm_head.size(0); first += kTileVocab)
    add_tokens(in, first, rows);
  for (int64_t row = begin; row < end; ++row) {
    const LogitStats& stats = rows.stats[row - begin];
    out.nll[row] = stats.log_sum_exp() - static_cast<double>(rows.target_logits[row - begin]);
    out.entropy[row] = stats.entropy();
    out.top1[row] = stats.top1;
  }
}

}  // namespace

TokenNll cpu_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                       const at::Tensor& targets, const LogitOptions& options) {
  const int64_t rows = hidden.size(0);
  TokenNll out(rows);
  const at::Tensor ids = targets.contiguous();
  const Inputs in{at::cat({hidden, at::zeros({kRowAlignment, hidden.size(1)}, hidden.options())}),
                  lm_head, ids.const_data_ptr<int64_t>(), options};
  const int64_t threads = at::get_num_threads(), share = (rows + threads - 1) / threads;
  at::parallel_for(0, rows, std::max<int64_t>(round_up_rows(share), 1),
                   [&](int64_t begin, int64_t end) { score_rows(in, begin, end, out); });
  return out;
}

}  // namespace air
