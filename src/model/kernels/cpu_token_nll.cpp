#include "model/kernels/cpu_token_nll.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <ATen/ops/empty.h>
#include <algorithm>

#include "model/kernels/half_product.h"
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

/// A slice of the vocabulary as the products take it, one after another, and a tile of its logits.
class TileProducts {
 public:
  explicit TileProducts(const Inputs& in) : in_(in), type_(in.hidden.scalar_type()) {}
  ~TileProducts() {
    if (is_half(type_)) end_half_products();
  }

  void use_tokens(int64_t first, int64_t width) {
    weights_ = in_.lm_head.narrow(0, first, width);
    if (!is_half(type_)) {
      weights_ = weights_.to(at::kFloat);
      return;
    }
    weights_ = weights_.contiguous();
    const int64_t depth = weights_.size(1);
    const auto* rows = static_cast<const HalfBits*>(weights_.const_data_ptr());
    panels_.resize(kTileVocab * depth / 2);
    for (int64_t row = 0; row < width; ++row)
      pack_column(rows + row * depth, depth,
                  panels_.data() + row / kPanelWidth * kPanelWidth * depth / 2 + row % kPanelWidth);
  }

  /// Logits of the rows [begin, begin + height), float32.
  at::Tensor logits(int64_t begin, int64_t height) {
    const at::Tensor hidden = in_.hidden.narrow(0, begin, height);
    if (!is_half(type_)) return onednn_linear(hidden, weights_);
    const int64_t width = weights_.size(0), depth = weights_.size(1);
    at::Tensor tile = at::empty({height, width}, at::TensorOptions().dtype(at::kFloat));
    for (int64_t column = 0; column < width; column += kPanelWidth)
      multiply_halves({.type = type_,
                       .rows = height,
                       .width = std::min(kPanelWidth, width - column),
                       .depth = depth,
                       .a = hidden.const_data_ptr(),
                       .a_stride = depth,
                       .b = panels_.data() + column * depth / 2,
                       .b_stride = kPanelWidth,
                       .c = tile.data_ptr<float>() + column,
                       .c_stride = width});
    return tile;
  }

 private:
  const Inputs& in_;
  c10::ScalarType type_;
  at::Tensor weights_;
  std::vector<uint32_t> panels_;
};

/// The logits of tokens [first, first + kTileVocab) for all rows of a thread, a tile at a time.
void add_tokens(const Inputs& in, int64_t first, TileProducts& products, RowStats& rows) {
  const int64_t width = std::min(kTileVocab, in.lm_head.size(0) - first);
  products.use_tokens(first, width);
  const at::Tensor bias =
      in.options.bias.defined() ? in.options.bias.narrow(0, first, width) : at::Tensor();
  for (int64_t begin = rows.begin; begin < rows.end; begin += kTileRows) {
    const int64_t height = std::min(kTileRows, rows.end - begin);
    at::Tensor tile = products.logits(begin, round_up_rows(height));
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
  TileProducts products(in);
  for (int64_t first = 0; first < in.lm_head.size(0); first += kTileVocab)
    add_tokens(in, first, products, rows);
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
  const at::Tensor padding = at::zeros({kRowAlignment, hidden.size(1)}, hidden.options());
  const Inputs in{at::cat({hidden, padding}), lm_head, ids.const_data_ptr<int64_t>(), options};
  const int64_t threads = at::get_num_threads(), share = (rows + threads - 1) / threads;
  at::parallel_for(0, rows, std::max<int64_t>(round_up_rows(share), 1),
                   [&](int64_t begin, int64_t end) { score_rows(in, begin, end, out); });
  return out;
}

}  // namespace air
