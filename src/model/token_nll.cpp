#include "model/token_nll.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "base/error.h"
#include "model/device.h"
#include "model/logit_stats.h"
#include "model/matrix_product.h"
#include "model/row_blocks.h"

namespace air {

namespace {

// A tile of logits of kTileRows × kTileVocab floats (512 KiB) stays in a core's cache between the
// product that makes it and the pass that reads it; the vocabulary's slice of the weights is used
// for all rows of a thread before the next.
constexpr int64_t kTileRows = 256;
constexpr int64_t kTileVocab = 512;
// Rows × vocabulary of one piece where ATen makes whole rows of logits.
constexpr int64_t kWholeRowLogits = int64_t{1} << 26;

TokenNll make_result(int64_t rows) {
  const auto size = static_cast<size_t>(rows);
  return {std::vector<double>(size), std::vector<double>(size), std::vector<int32_t>(size)};
}

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
      const int64_t padded = (height + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
      at::Tensor tile = linear_product(hidden.narrow(0, r, padded), weights);
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

TokenNll cpu_float_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                       const at::Tensor& targets, const LogitOptions& options) {
  const int64_t rows = hidden.size(0);
  TokenNll out = make_result(rows);
  const int64_t* target = targets.const_data_ptr<int64_t>();
  const int64_t threads = at::get_num_threads(), share = (rows + threads - 1) / threads;
  const at::Tensor padded =
      at::cat({hidden, at::zeros({kRowAlignment, hidden.size(1)}, hidden.options())});
  at::parallel_for(
      0, rows, std::max<int64_t>((share + kRowAlignment - 1) / kRowAlignment * kRowAlignment, 1),
      [&](int64_t begin, int64_t end) {
        cpu_rows(padded, lm_head, options, target, begin, end, out);
      });
  return out;
}

/// Whole rows of logits, a bounded number at a time: accelerators, and half precision on the CPU.
/// Results are fetched once, at the end, so that an accelerator never waits for the host in
/// between.
TokenNll whole_row_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                       const at::Tensor& targets, const LogitOptions& options) {
  const int64_t rows = hidden.size(0);
  const int64_t step = std::max<int64_t>(1, kWholeRowLogits / lm_head.size(0));
  const at::Tensor all_targets = upload(targets, hidden.device());
  std::vector<at::Tensor> nll, entropy, top1;
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t height = std::min(step, rows - begin);
    at::Tensor logits = at::linear(hidden.narrow(0, begin, height), lm_head).to(at::kFloat);
    finish_logits(logits, options.bias, options.softcap);
    const at::Tensor log_p = at::log_softmax(logits, -1);
    nll.push_back(
        log_p.gather(1, all_targets.narrow(0, begin, height).unsqueeze(1)).squeeze(1).neg());
    entropy.push_back((log_p.exp() * log_p).sum(-1).neg());
    top1.push_back(at::argmax(logits, -1).to(at::kInt));
  }
  TokenNll out = make_result(rows);
  if (rows == 0) return out;
  const at::Tensor all_nll = at::cat(nll).to(at::kDouble).cpu(),
                   all_entropy = at::cat(entropy).to(at::kDouble).cpu();
  const at::Tensor all_top1 = at::cat(top1).cpu();
  std::copy_n(all_nll.const_data_ptr<double>(), rows, out.nll.begin());
  std::copy_n(all_entropy.const_data_ptr<double>(), rows, out.entropy.begin());
  std::copy_n(all_top1.const_data_ptr<int32_t>(), rows, out.top1.begin());
  return out;
}

}  // namespace

void finish_logits(at::Tensor& logits, const at::Tensor& bias, double softcap) {
  if (bias.defined()) logits.add_(bias);
  if (softcap > 0) logits.div_(softcap).tanh_().mul_(softcap);
}

TokenNll tiled_token_nll(const at::Tensor& hidden, const at::Tensor& lm_head,
                         const at::Tensor& targets, const LogitOptions& options) {
  AIR_CHECK(targets.is_cpu() && targets.scalar_type() == at::kLong &&
            targets.size(0) == hidden.size(0));
  if (hidden.is_cpu() && hidden.scalar_type() == at::kFloat)
    return cpu_float_nll(hidden.contiguous(), lm_head, targets.contiguous(), options);
  return whole_row_nll(hidden, lm_head, targets, options);
}

}  // namespace air
